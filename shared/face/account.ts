/** An account: an address of record with its credentials, registered (and kept so) at its registrar, that makes and takes calls. */
import { hex } from '#shared/kernel/bytes.ts';
import { err, ok, type Result } from '#shared/kernel/result.ts';
import type { Timer, World } from '#shared/kernel/world.ts';
import { sipHash } from '../host/sip-hash.ts';
import { digestHa1, realmOf } from '../sip/digest.ts';
import { newRequest, type SipMessage } from '../sip/message.ts';
import type { Credentials, EndpointOutput, Flow, InviteOptions, SipEndpoint } from '../sip/types.ts';
import { parseUri, type SipUri, writeHost } from '../sip/uri.ts';
import type { AudioMedia } from './audio-media.ts';
import { Call, type CallFacts } from './call.ts';
import { type Trouble, trouble, troubleOf } from './trouble.ts';

export interface AccountConfig {
  /** The address of record: `sip:alice@example.org`. */
  readonly id: string;
  /** Where it registers, and through what it calls: `sip:host:port;transport=tcp`. Default: the host of `id`. */
  readonly registrar?: string | undefined;
  /** Default: the user of `id`. */
  readonly username?: string | undefined;
  readonly password?: string | undefined;
  /** The realm of its credentials; default: what its registrar asks for. */
  readonly realm?: string | undefined;
  /** Seconds of a registration; default 300. */
  readonly expires?: number;
}

export interface Registration {
  readonly active: boolean;
  /** Seconds for which it was granted; 0 once it is given up. */
  readonly expires: number;
}

/** What an account needs of its endpoint. */
export interface AccountPort {
  readonly world: World;
  readonly stack: SipEndpoint;
  flowTo(uri: SipUri): Promise<Result<Flow, Trouble>>;
  act<T>(run: (endpoint: SipEndpoint, now: number, out: EndpointOutput[]) => T): T;
  /** Sends a request outside calls; undefined: no answer came. */
  send(request: SipMessage, flow: Flow, credentials: Credentials | undefined): Promise<SipMessage | undefined>;
  audio(flow: Flow): Promise<Result<AudioMedia, Trouble>>;
  hold(call: Call): void;
  forget(call: Call): void;
}

const EXPIRES = 300;
/** Milliseconds until a registration that failed is tried again: doubled up to the last (RFC 5626 section 4.5). */
const FIRST_RETRY = 30_000;
const LAST_RETRY = 1_800_000;

export class Account {
  readonly id: string;
  /** Calls that came in and nobody refused; absent handlers refuse with 480. */
  onIncomingCall: ((call: Call) => void) | undefined;
  /** The registration came, was refreshed, failed or went. */
  onRegState: (state: Result<Registration, Trouble>) => void = () => {};
  readonly #port: AccountPort;
  readonly #config: AccountConfig;
  readonly #user: string;
  readonly #callId: string;
  #realm: string | undefined;
  #flow: Flow | undefined;
  #seq = 0;
  #active = false;
  /** Whether it is to be kept registered. */
  #wanted = false;
  #wait = FIRST_RETRY;
  #timer: Timer | undefined;

  constructor(port: AccountPort, config: AccountConfig) {
    this.#port = port;
    this.#config = config;
    this.id = config.id;
    this.#realm = config.realm;
    this.#user = parseUri(config.id)?.user ?? 'anonymous';
    this.#callId = hex(port.world.random.bytes(8));
  }

  get registered(): boolean {
    return this.#active;
  }

  /** Whether a request to that user is for this account. */
  isFor(user: string | undefined): boolean {
    return user === this.#user;
  }

  /** Registers, and keeps registered until `unregister`. */
  async register(): Promise<Result<Registration, Trouble>> {
    this.#wanted = true;
    const { clock } = this.#port.world;
    this.#timer?.cancel();
    const outcome = await this.#register(this.#config.expires ?? EXPIRES);
    if (!this.#wanted) return outcome;
    this.#active = outcome.ok;
    const after = outcome.ok ? Math.max(1, outcome.value.expires) * 500 : this.#wait;
    this.#wait = outcome.ok ? FIRST_RETRY : Math.min(LAST_RETRY, this.#wait * 2);
    this.#timer?.cancel();
    this.#timer = clock.at(clock.mono() + after, () => void this.register());
    this.onRegState(outcome);
    return outcome;
  }

  /** Takes the registration back. */
  async unregister(): Promise<Result<Registration, Trouble>> {
    this.#timer?.cancel();
    if (!this.#wanted) return ok({ active: false, expires: 0 });
    this.#wanted = false;
    this.#active = false;
    const outcome = await this.#register(0);
    this.onRegState(outcome);
    return outcome;
  }

  /** Calls a URI, or a number or name of the account's own domain. `play`: what is said, over and over, once it is answered. */
  async makeCall(target: string, options: { readonly play?: Int16Array } = {}): Promise<Result<Call, Trouble>> {
    const uri = target.includes(':') ? target : `sip:${target}@${this.#domain()}`;
    const parsed = parseUri(uri);
    if (parsed === undefined) return err(trouble('bad_address', `${uri.slice(0, 80)} is no SIP address.`));
    const flow = await this.#way(parsed);
    if (!flow.ok) return flow;
    const opened = await this.#open(flow.value, { outgoing: true, remote: uri, called: uri });
    if (!opened.ok) return opened;
    const { call, audio, contact } = opened.value;
    const invite = { uri, from: `<${this.id}>`, to: `<${uri}>`, flow: flow.value, contact, sdp: audio.offer() };
    if (options.play !== undefined) audio.play(options.play, true);
    this.#invite(call, invite);
    return ok(call);
  }

  /** A call comes in over that flow. */
  async incoming(output: Extract<EndpointOutput, { do: 'incoming' }>): Promise<void> {
    const { call: handle, message, flow, offer } = output;
    const take = this.onIncomingCall;
    const refuse = (status: number) =>
      this.#port.act((endpoint, now, out) => endpoint.reject(handle, status, {}, now, out));
    if (take === undefined) return refuse(480);
    const facts = { outgoing: false, remote: message.from.uri, called: message.uri };
    const opened = await this.#open(flow, offer === undefined ? facts : { ...facts, offer });
    if (!opened.ok) return refuse(503);
    opened.value.call.handle = handle;
    this.#port.hold(opened.value.call);
    // The caller may have given up while the port was opened; the stack then knows the call no longer.
    if (this.#port.stack.dialogId(handle) === undefined) return opened.value.call.hangup();
    take(opened.value.call);
  }

  /** A connection is gone: what was registered over it has to come back. */
  flowClosed(flow: Flow): void {
    if (this.#flow?.id !== flow.id) return;
    this.#flow = undefined;
    if (!this.#wanted) return;
    this.#active = false;
    this.onRegState(err(trouble('broken')));
    void this.register();
  }

  /** Lets go of its timer. */
  close(): void {
    this.#wanted = false;
    this.#timer?.cancel();
  }

  #domain(): string {
    return writeHost(parseUri(this.id)?.host ?? 'invalid');
  }

  /** The flow to the registrar, or where there is none straight to whom is called. */
  async #way(target: SipUri): Promise<Result<Flow, Trouble>> {
    if (this.#config.registrar === undefined && this.#config.password === undefined) return this.#port.flowTo(target);
    return this.#home();
  }

  async #home(): Promise<Result<Flow, Trouble>> {
    if (this.#flow !== undefined) return ok(this.#flow);
    const { registrar = this.id } = this.#config;
    const uri = parseUri(registrar);
    if (uri === undefined) return err(trouble('bad_address', `${registrar.slice(0, 80)} is no SIP address.`));
    const flow = await this.#port.flowTo(uri);
    if (flow.ok) this.#flow = flow.value;
    return flow;
  }

  async #register(expires: number): Promise<Result<Registration, Trouble>> {
    const flow = await this.#home();
    if (!flow.ok) return flow;
    let answer = await this.#ask(flow.value, expires);
    if (answer !== undefined && this.#learns(answer)) answer = await this.#ask(flow.value, expires);
    const least = answer?.status === 423 ? Number(answer.header('Min-Expires')) : 0;
    if (least > expires) answer = await this.#ask(flow.value, least);
    if (answer === undefined) return err(trouble('unreachable'));
    if (answer.status >= 300) return err(troubleOf(answer.status));
    return ok({ active: expires > 0, expires: expires > 0 ? granted(answer, this.#user, expires) : 0 });
  }

  #ask(flow: Flow, expires: number): Promise<SipMessage | undefined> {
    // A challenge takes a number of its own.
    this.#seq += 2;
    const request = newRequest('REGISTER', `sip:${this.#domain()}`, [
      ['From', `<${this.id}>`],
      ['To', `<${this.id}>`],
      ['Call-ID', this.#callId],
      ['CSeq', `${this.#seq} REGISTER`],
      ['Contact', `<${this.#contact(flow)}>`],
      ['Expires', String(expires)],
    ]);
    return this.#port.send(request, flow, this.#credentials());
  }

  /** True where a challenge named a realm for which we had nothing: it is worth another try. */
  #learns(answer: SipMessage): boolean {
    if (answer.status !== 401 && answer.status !== 407) return false;
    const realm = realmOf(answer.headerAll(answer.status === 407 ? 'Proxy-Authenticate' : 'WWW-Authenticate'));
    if (realm === undefined || this.#config.password === undefined || this.#realm !== undefined) return false;
    this.#realm = realm;
    return true;
  }

  #credentials(): Credentials | undefined {
    const { username = this.#user, password } = this.#config;
    const realm = this.#realm;
    if (password === undefined || realm === undefined) return undefined;
    const hash = sipHash(this.#port.world.crypto);
    const md5 = digestHa1('MD5', username, realm, password, hash);
    return { username, realm, ha1: { md5, sha256: digestHa1('SHA-256', username, realm, password, hash) } };
  }

  #contact(flow: Flow): string {
    const { host, port } = flow.local;
    const transport = flow.protocol === 'udp' ? '' : `;transport=${flow.protocol}`;
    return `sip:${this.#user}@${writeHost(host)}:${port}${transport}`;
  }

  async #open(
    flow: Flow,
    facts: Pick<CallFacts, 'outgoing' | 'remote' | 'called' | 'offer'>,
  ): Promise<Result<{ readonly call: Call; readonly audio: AudioMedia; readonly contact: string }, Trouble>> {
    const audio = await this.#port.audio(flow);
    if (!audio.ok) return audio;
    const contact = this.#contact(flow);
    const { world, act, forget } = this.#port;
    const port = { clock: world.clock, act, forget };
    return ok({
      call: new Call(port, audio.value, { ...facts, contact, peer: flow.remote }),
      audio: audio.value,
      contact,
    });
  }

  #invite(call: Call, invite: InviteOptions): void {
    const credentials = this.#credentials();
    this.#port.act((endpoint, now, out) => {
      // Known before anything of the call can be heard.
      call.handle = endpoint.invite(credentials === undefined ? invite : { ...invite, credentials }, now, out);
      this.#port.hold(call);
    });
  }
}

/** Seconds that a registrar gave our contact, or all of them (RFC 3261 section 10.2.4). */
function granted(answer: SipMessage, user: string, asked: number): number {
  const own = answer.contacts.find(({ uri }) => parseUri(uri)?.user === user);
  const seconds = Number(own?.params.get('expires') ?? answer.expires ?? asked);
  return Number.isFinite(seconds) && seconds > 0 ? Math.min(seconds, asked * 10) : asked;
}
