/**
 * A SIP phone on any World: registers with digest, calls, answers, holds, hangs up, talks and keeps what it hears. It is our own
 * stack's user like any other and knows nothing of softswitch or gateway.
 */

import { originOf } from '#shared/call/direction.ts';
import { SipTransport, type UserOutput } from '#shared/host/sip.ts';
import { sipHash } from '#shared/host/sip-hash.ts';
import type { Address } from '#shared/kernel/world.ts';
import { RtpPeer } from '#shared/media-engine/rtp-peer.ts';
import { digestHa1 } from '#shared/sip/digest.ts';
import { Endpoint } from '#shared/sip/endpoint.ts';
import { answerLike, offerLike } from '#shared/sip/fax.ts';
import { newRequest, type SipMessage } from '#shared/sip/message.ts';
import { makeAnswer, makeOffer } from '#shared/sip/offer-answer.ts';
import type { Direction } from '#shared/sip/sdp.ts';
import type { CallHandle, Credentials, EndpointOutput, Flow } from '#shared/sip/types.ts';
import { writeHost } from '#shared/sip/uri.ts';
import { type CallOwner, PhoneCall, referTo } from './phone-call.ts';
import { PhoneMessages } from './phone-messages.ts';
import { abilitiesOf, type Manner, type PhoneOptions, REFUSALS } from './phone-options.ts';
import { PhoneRequests } from './phone-requests.ts';
import { PhoneWatches } from './phone-watches.ts';

export { PhoneCall } from './phone-call.ts';
export type { Manner, PhoneOptions } from './phone-options.ts';

export class Phone implements CallOwner {
  /** Lines that it watches. */
  readonly watches: PhoneWatches;
  readonly calls: PhoneCall[] = [];
  /** The `o=` lines of descriptions heard. */
  readonly origins: string[] = [];
  readonly messages: PhoneMessages;
  readonly #options: PhoneOptions;
  readonly #endpoint: Endpoint;
  readonly #transport: SipTransport;
  readonly #credentials: Credentials;
  readonly #requests: PhoneRequests;
  #flow: Flow | undefined;
  #local: Address = { host: '', port: 0 };
  manner: Manner;

  private constructor(options: PhoneOptions) {
    const { world, username, domain, password, trace } = options;
    this.#options = options;
    this.manner = options.manner ?? 'answer';
    this.#requests = new PhoneRequests({
      ...{ world, phone: options },
      own: () => this.#own(),
      contact: () => this.#contact(),
      act: (run) => this.#act(run),
      send: (request, now, out) => this.#endpoint.request(request, this.#flowOrThrow(), now, out, this.#credentials),
    });
    this.messages = new PhoneMessages({
      world,
      domain,
      own: () => this.#own(),
      send: (request) => this.#requests.send(request),
    });
    this.watches = new PhoneWatches({
      domain,
      own: () => this.#own(),
      contact: () => this.#contact(),
      send: (request) => this.#requests.send(request),
    });
    const hash = sipHash(world.crypto);
    this.#endpoint = new Endpoint({ random: world.random, hash, ...abilitiesOf(options) });
    this.#credentials = {
      username,
      realm: domain,
      ha1: {
        md5: digestHa1('MD5', username, domain, password, hash),
        sha256: digestHa1('SHA-256', username, domain, password, hash),
      },
    };
    this.#transport = new SipTransport(world, {
      endpoint: this.#endpoint,
      onOutput: (output) => this.#take(output),
      ...(trace && { trace: (direction, _flow, text) => trace(direction, text) }),
    });
  }

  /** Switches the phone on: a socket or connection towards its server, not yet registered. */
  static async open(options: PhoneOptions): Promise<Phone> {
    const phone = new Phone(options);
    const { host, protocol = 'udp', server, tls } = options;
    if (protocol === 'udp') {
      const bound = await phone.#transport.bind({ udp: { host, port: 0 } });
      phone.#local = bound.udp[0] ?? phone.#local;
    }
    phone.#flow = await phone.#transport.flowTo({ protocol, ...server, ...(tls && { tls }) });
    if (protocol !== 'udp') phone.#local = phone.#flow.local;
    return phone;
  }

  /** Its connection breaks, and it registers over a new one, perhaps to another server; its calls are still there. */
  async reconnect(server = this.#options.server): Promise<number> {
    const { protocol = 'tcp', tls, keepsContact } = this.#options;
    this.#transport.closeFlow(this.#flowOrThrow());
    this.#flow = await this.#transport.flowTo({ protocol, ...server, ...(tls && { tls }) });
    if (keepsContact !== true) this.#local = this.#flow.local;
    for (const call of this.calls) this.#endpoint.moveCall(call.handle, this.#flow);
    return this.register();
  }

  /** Where it listens, over UDP. */
  get address(): Address {
    return this.#local;
  }

  /** Registers, and keeps registered; resolves with the final status (0: no answer). */
  register(expires?: number, own?: string): Promise<number> {
    return this.#requests.register(expires, own);
  }

  /** Sends a request outside calls, such as OPTIONS, to its server; resolves with the final status (0: no answer). */
  ask(method: string): Promise<number> {
    const uri = `sip:${this.#options.domain}`;
    return this.#requests.send(
      newRequest(method, uri, [
        ['From', this.#own()],
        ['To', `<${uri}>`],
      ]),
    );
  }

  /** Sends INFO in a call; resolves with the final status. */
  info(call: PhoneCall, contentType: string, body: string): Promise<number> {
    return this.#requests.wait((now, out) =>
      this.#endpoint.requestInDialog(call.handle, 'INFO', { contentType, body }, now, out),
    );
  }

  /** Sends a text in a call; resolves with the final status. */
  sendInCall(call: PhoneCall, text: string): Promise<number> {
    const content = this.messages.compose(`sip:${this.#options.domain}`, text, {});
    return this.#requests.wait((now, out) => this.#endpoint.requestInDialog(call.handle, 'MESSAGE', content, now, out));
  }

  /** Sends any request inside a call; resolves with the final status. */
  askIn(call: PhoneCall, method: string, headers: readonly (readonly [string, string])[]): Promise<number> {
    return this.#requests.wait((now, out) =>
      this.#endpoint.requestInDialog(call.handle, method, { headers }, now, out),
    );
  }

  /** The last final response to a request of this phone other than INVITE. */
  get lastAnswer(): SipMessage | undefined {
    return this.#requests.lastAnswer;
  }

  /** Asks by REFER that the other side of a call be transferred: to a number, or with another call of this phone to its far side. */
  refer(call: PhoneCall, target: string | PhoneCall): Promise<number> {
    const dialog = typeof target === 'string' ? undefined : this.#endpoint.dialogId(target.handle);
    const headers = [['Refer-To', referTo(this.#options.domain, target, dialog)] as const];
    return this.askIn(call, 'REFER', headers);
  }

  /** Call-ID and tags of a call, as this phone has them. */
  dialogOf(call: PhoneCall): { readonly callId: string; readonly localTag: string; readonly remoteTag?: string } {
    return this.#endpoint.dialogId(call.handle) ?? { callId: call.callId, localTag: '' };
  }

  /** Calls a number, a username or a whole URI. */
  async dial(target: string, headers: readonly (readonly [string, string])[] = []): Promise<PhoneCall> {
    const { domain } = this.#options;
    const call = await this.#newCall(true);
    const uri = target.includes(':') ? target : `sip:${target}@${domain}`;
    call.handle = this.#act((now, out) =>
      this.#endpoint.invite(
        {
          uri,
          from: this.#own(),
          to: `<${uri}>`,
          flow: this.#flowOrThrow(),
          contact: this.#contact(),
          headers,
          sdp: makeOffer(this.#media(call)),
          credentials: this.#credentials,
        },
        now,
        out,
      ),
    );
    call.callId = this.#endpoint.dialogId(call.handle)?.callId ?? '';
    return call;
  }

  answer(call: PhoneCall): void {
    if (call.state !== 'ringing') return;
    const sdp = call.offer === undefined ? makeOffer(this.#media(call)) : makeAnswer(call.offer, this.#media(call));
    if (sdp === undefined) {
      this.#act((now, out) => this.#endpoint.reject(call.handle, 488, {}, now, out));
      this.#end(call, 488, 'no-codec');
      return;
    }
    call.state = 'up';
    this.#act((now, out) => this.#endpoint.answer(call.handle, { sdp, contact: this.#contact() }, now, out));
    if (call.offer !== undefined) this.#hear(call, call.offer);
  }

  hangup(call: PhoneCall): void {
    if (call.state === 'ended') return;
    this.#act((now, out) => this.#endpoint.hangup(call.handle, '', now, out));
    this.#end(call, call.state === 'up' ? 0 : 487, 'hangup');
  }

  offerAgain(call: PhoneCall, direction: Direction, like?: string): void {
    if (call.state === 'calling' || call.state === 'ended') return;
    call.version++;
    const sdp = offerLike(like, { ...this.#media(call), direction });
    const how = call.state === 'up' ? 'reoffer' : 'offerEarly';
    this.#act((now, out) => this.#endpoint[how](call.handle, sdp, now, out));
  }

  /** Offers anew by UPDATE (RFC 3311) in a call that is up; resolves with the final status. */
  offerByUpdate(call: PhoneCall, direction: Direction): Promise<number> {
    call.version++;
    const content = { contentType: 'application/sdp', body: makeOffer({ ...this.#media(call), direction }) };
    return this.#requests.wait((now, out) => this.#endpoint.requestInDialog(call.handle, 'UPDATE', content, now, out));
  }

  askOffer(call: PhoneCall): void {
    call.asked = true;
    this.#act((now, out) => this.#endpoint.reoffer(call.handle, undefined, now, out));
  }

  /** Switches the phone off without a word, as a power cut would. */
  async close(): Promise<void> {
    this.#requests.stop();
    for (const call of this.calls) await call.rtp.close();
    await this.#transport.close();
  }

  #own(): string {
    return `<sip:${this.#options.claims ?? this.#options.username}@${this.#options.domain}>`;
  }

  #contact(): string {
    const { username, protocol = 'udp' } = this.#options;
    const transport = protocol === 'udp' ? '' : `;transport=${protocol}`;
    return `sip:${username}@${writeHost(this.#options.believes ?? this.#local.host)}:${this.#local.port}${transport}`;
  }

  #flowOrThrow(): Flow {
    if (this.#flow === undefined) throw new Error('the phone is off');
    return this.#flow;
  }

  #act<T>(run: (now: number, out: EndpointOutput[]) => T): T {
    return this.#transport.act(run);
  }

  async #newCall(outgoing: boolean): Promise<PhoneCall> {
    const { world, host } = this.#options;
    const rtp = await RtpPeer.open(world, host);
    const call = new PhoneCall(this, outgoing, rtp, Math.floor(world.random.fraction() * 1e9));
    this.calls.push(call);
    return call;
  }

  #media(call: PhoneCall) {
    const { host, port } = call.rtp.local;
    return {
      address: { host: this.#options.believes ?? host, port },
      sessionId: call.sessionId,
      version: call.version,
    };
  }

  /** Talks to where a description of the other side says. */
  #hear(call: PhoneCall, sdp: string): void {
    this.origins.push(originOf(sdp) ?? '');
    call.hear(sdp, this.#options.voice ?? new Int16Array(0));
  }

  #end(call: PhoneCall, status: number, why: string): void {
    if (call.state === 'ended') return;
    call.state = 'ended';
    call.status = status;
    call.why = why;
    call.rtp.stop();
  }

  #take(output: UserOutput): void {
    if (output.do === 'incoming') void this.#ring(output);
    else if (output.do === 'response') this.#requests.responded(output.transaction, output.message);
    else if (output.do === 'no-response') this.#requests.settle(output.transaction, 0);
    else if (output.do === 'request' || output.do === 'in-dialog') {
      const call = output.do === 'in-dialog' ? this.calls.find((one) => one.handle === output.call) : undefined;
      if (output.do === 'in-dialog') this.#note(output.call, output.message);
      const { message } = output;
      if (message.method === 'NOTIFY' && output.do === 'request') this.watches.notified.push(message);
      const plain = message.method === 'NOTIFY' && call !== undefined ? (this.#options.refusesNews ?? 200) : 200;
      const status = message.method === 'MESSAGE' ? this.messages.take(message, call?.callId) : plain;
      this.#act((now, out) => this.#endpoint.reply(output.transaction, status, {}, now, out));
    } else {
      const call = this.calls.find((one) => one.handle === output.call);
      if (call !== undefined) this.#inCall(call, output);
    }
  }

  #note(handle: CallHandle, message: SipMessage): void {
    if (message.method === 'NOTIFY') this.calls.find((one) => one.handle === handle)?.notified.push(message.body);
    if (message.method === 'INFO') this.calls.find((one) => one.handle === handle)?.infos.push(message.body);
  }

  async #ring(output: Extract<UserOutput, { do: 'incoming' }>): Promise<void> {
    const { world, answerAfter = 0 } = this.#options;
    const refusal = this.#options.refuses ?? REFUSALS[this.manner];
    if (refusal !== undefined) {
      const headers = this.#options.refusalHeaders ?? [];
      this.#act((now, out) => this.#endpoint.reject(output.call, refusal, { headers }, now, out));
      return;
    }
    const call = await this.#newCall(false);
    call.handle = output.call;
    call.state = 'ringing';
    call.from = output.message.header('From') ?? '';
    call.alerts = output.message.headerAll('Alert-Info');
    call.history = output.message.headerAll('History-Info');
    call.referredBy = output.message.header('Referred-By');
    call.callId = output.message.callId;
    call.offer = output.offer;
    const offer = this.#options.early === true ? call.offer : undefined;
    const sdp = offer && makeAnswer(offer, this.#media(call));
    const saying = { contact: this.#contact(), ...(sdp === undefined ? {} : { sdp }) };
    this.#act((now, out) => this.#endpoint.progress(call.handle, sdp === undefined ? 180 : 183, saying, now, out));
    if (offer !== undefined) this.#hear(call, offer);
    if (this.manner === 'answer') world.clock.at(world.clock.mono() + answerAfter, () => this.answer(call));
  }

  #inCall(call: PhoneCall, output: Extract<UserOutput, { call: CallHandle }>): void {
    switch (output.do) {
      case 'progress':
        call.state = 'ringing';
        call.progress.push(output.status);
        if (output.sdp !== undefined) this.#hear(call, output.sdp);
        break;
      case 'answered':
        call.state = 'up';
        if (output.sdp !== undefined) this.#hear(call, output.sdp);
        break;
      case 'confirmed':
        if (output.sdp !== undefined) this.#hear(call, output.sdp);
        break;
      case 'failed':
        this.#end(call, output.status, 'failed');
        break;
      case 'ended':
        this.#end(call, 0, output.why);
        break;
      case 'offer':
        this.#offered(call, output.sdp);
        break;
      case 'reoffered':
        if (output.sdp !== undefined) this.#hear(call, output.sdp);
        if (call.asked && output.sdp !== undefined) this.#offered(call, output.sdp);
        call.asked = false;
        break;
      default:
    }
  }

  #offered(call: PhoneCall, sdp: string | undefined): void {
    call.version++;
    const like = this.#options.fax === true ? sdp : undefined;
    const answer = sdp === undefined ? makeOffer(this.#media(call)) : answerLike(sdp, like, this.#media(call));
    if (answer === undefined || this.#options.fixed === true) {
      this.#act((now, out) => this.#endpoint.refuseOffer(call.handle, 488, now, out));
      return;
    }
    this.#act((now, out) => this.#endpoint.acceptOffer(call.handle, answer, now, out));
    if (sdp !== undefined) this.#hear(call, sdp);
  }
}
