/** New calls from phones and gateways: who calls, whether it may, and what it dialled. */
import type { LineRow } from '#cloud/store/directory.ts';
import { hopsOf } from '#shared/call/hops.ts';
import type { SipPort } from '#shared/host/call-driver.ts';
import type { Soon } from '#shared/kernel/soon.ts';
import type { Clock } from '#shared/kernel/world.ts';
import type { Refusal } from '#shared/sip/checks.ts';
import { isSips } from '#shared/sip/dialog.ts';
import { REFUSED } from '#shared/sip/identity-check.ts';
import type { SipMessage } from '#shared/sip/message.ts';
import { type Privacy, privacyOf } from '#shared/sip/privacy.ts';
import { readDialogName, readReferredBy } from '#shared/sip/refer.ts';
import { type CallHandle, type EndpointOutput, type Flow, isSecure } from '#shared/sip/types.ts';
import { write } from '#shared/sip/write.ts';
import type { Access, Sender } from './access.ts';
import type { Calls } from './calls.ts';
import { dialledBy } from './dialled.ts';
import type { HelpCaller } from './emergency/help.ts';
import type { Mates } from './fleet/mates.ts';
import type { Proven } from './fleet/words.ts';
import type { Lines } from './lines.ts';
import { type Facts, newLive, shownLine } from './live.ts';
import { isOpen } from './location.ts';
import { rtpHost } from './media.ts';
import type { Outside } from './outside.ts';
import { Replaces } from './replaces.ts';
import { LINE_CALLS, type Router } from './routing.ts';
import { areOf, sentOnIn } from './sent-on.ts';
import { readArrival } from './trunk/arrival.ts';
import { callsOf, type Trunk } from './trunk/trunk.ts';

/** Calls in progress that the softswitch takes on; further ones get 503 with Retry-After. */
export const CALL_LIMIT = 20_000;
/** Of these, calls that may be in set-up at once: beyond it the switch has more to do than it can. */
export const SETUP_LIMIT = 3_000;
/** Why there is no call: privacy of a kind that nobody here knows was asked for, or else none (RFC 3323 section 5). */
const NO_PRIVACY = 'Privacy Not Possible';

export interface IncomingOptions {
  readonly access: Access;
  readonly calls: Calls;
  readonly router: Router;
  readonly sip: SipPort;
  readonly clock: Clock;
  readonly newId: (prefix: 'chn') => string;
  readonly closeFlow: (flow: Flow) => void;
  /** A source that proved itself may send more. */
  readonly trust: (flow: Flow) => void;
  /** Other limits than `CALL_LIMIT` and `SETUP_LIMIT`. */
  readonly most?: number;
  readonly inSetup?: number;
  /** True for a host name or address that is this softswitch. */
  readonly isOurs: (host: string) => boolean;
  readonly lines: Lines;
  readonly outside: Pick<Outside, 'trunks' | 'emergency' | 'identity'>;
  /** The other processes, where there are several. */
  readonly mates?: Pick<Mates, 'proven' | 'ownerOf' | 'handOver'>;
}

type Invite = Extract<EndpointOutput, { do: 'incoming' }>;

export class Incoming {
  readonly #o: IncomingOptions;
  readonly replaces: Replaces;
  /** Calls whose sender is being looked up. */
  readonly #asking = new Set<CallHandle>();

  constructor(options: IncomingOptions) {
    this.#o = options;
    const { calls, sip, clock } = options;
    this.replaces = new Replaces({ calls, endpoint: sip.endpoint, now: () => clock.mono() });
  }

  take(output: Invite): Soon<void> {
    const work = this.#take(output);
    return work instanceof Promise ? work.catch((error: unknown) => this.#failed(output.call, error)) : work;
  }

  /** What has to be known cannot be read: nobody gets in without it, and the caller hears so at once. */
  #failed(call: CallHandle, error: unknown): never {
    this.#asking.delete(call);
    if (this.#o.calls.ofHandle(call) === undefined) this.#reject(call, 503, [['Retry-After', '10']]);
    throw error;
  }

  #take(output: Invite): Soon<void> {
    const proven = this.#o.mates?.proven;
    if (proven !== undefined) return this.#handed(output, proven);
    // Help is asked for before every limit.
    if (!this.#o.outside.emergency.maybe(output.message.uri)) return this.#ordinary(output);
    return this.#helped(output).then((sender) => (sender === undefined ? undefined : this.#ordinary(output, sender)));
  }

  /** The challenge of an INVITE that needs a credential and brings none; undefined where anything else may be due. */
  unsigned(message: SipMessage, flow: Flow): Refusal | undefined {
    const { access, calls, outside, most = CALL_LIMIT } = this.#o;
    if (outside.emergency.maybe(message.uri)) return this.#stranger(message, flow);
    if (calls.size >= most) return undefined;
    return outside.trunks.of(flow) === undefined ? access.unsigned(message, flow) : undefined;
  }

  /** Somebody unknown calls for help: refused by one datagram, whatever address it says it comes from. */
  #stranger(message: SipMessage, flow: Flow): Refusal | undefined {
    const { access, outside } = this.#o;
    const unsigned = access.unsigned(message, flow);
    if (unsigned === undefined || outside.emergency.knows(flow)) return undefined;
    return outside.emergency.refuses(message) ? { status: 403, headers: [] } : unsigned;
  }

  /** `known`: the sender where it has been asked for already, for a credential is good once. */
  #ordinary(output: Invite, known?: Sender): Soon<void> {
    const { access, calls, outside } = this.#o;
    const { call, message, flow } = output;
    const { most = CALL_LIMIT, inSetup = SETUP_LIMIT } = this.#o;
    if (calls.size >= most || calls.between >= inSetup) return this.#reject(call, 503, [['Retry-After', '10']]);
    const trunk = outside.trunks.of(flow, message.uri);
    if (trunk !== undefined) return this.#fromTrunk(output, trunk);
    const sender = known ?? access.sender(message, flow);
    if (!(sender instanceof Promise)) return this.#sent(output, sender);
    this.#asking.add(call);
    return sender.then((found) => {
      // The caller may have hung up meanwhile.
      if (this.#asking.delete(call)) return this.#sent(output, found);
    });
  }

  /** It is known who calls. */
  #sent(output: Invite, sender: Sender): Soon<void> {
    const { closeFlow, trust } = this.#o;
    const { call, flow } = output;
    if (sender.kind === 'close') {
      this.#reject(call, 403, []);
      return closeFlow(flow);
    }
    if (sender.kind === 'refuse') return this.#reject(call, sender.status, sender.headers);
    trust(flow);
    if (sender.gateway !== undefined && sentOnIn(output.message) !== undefined) return this.#sentOn(output, sender);
    return this.#start(output, sender);
  }

  /** Which lines sent the call on, as its gateway says. */
  async #sentOn(output: Invite, sender: Extract<Sender, { kind: 'line' }>): Promise<void> {
    const { call, message } = output;
    this.#asking.add(call);
    const own = await areOf(sender.line.home, sentOnIn(message) ?? [], this.#o.lines);
    // The caller may have hung up meanwhile.
    if (!this.#asking.delete(call)) return;
    return own ? this.#start(output, sender) : this.#reject(call, 403, []);
  }

  /** Another process knows who calls, and that its wish concerns a call of ours. */
  async #handed(output: Invite, { line: id, gateway, taking }: Proven): Promise<void> {
    const { call } = output;
    this.#asking.add(call);
    const line = await this.#o.lines.byId(id);
    if (!this.#asking.delete(call)) return;
    if (line === undefined) return this.#reject(call, 403, []);
    const by = gateway === undefined ? {} : { gateway };
    return this.#start(output, { kind: 'line', line, ...by }, taking ?? 'here');
  }

  /** The dialog that is to be replaced is another process's: that one answers. */
  async #elsewhere(output: Invite, { line, gateway }: Extract<Sender, { kind: 'line' }>): Promise<void> {
    const { mates, sip } = this.#o;
    const { call, flow, message } = output;
    this.#asking.add(call);
    const name = readDialogName(message.header('Replaces') ?? '');
    const owner = name === undefined ? undefined : await mates?.ownerOf(name.callId);
    if (!this.#asking.delete(call)) return;
    const invite = owner && sip.act((endpoint, now) => endpoint.release(call, now));
    if (owner === undefined || !invite) return this.#reject(call, 481, []);
    const proven = { line: line.id, ...(gateway === undefined ? {} : { gateway }) };
    mates?.handOver(owner, message.callId, { flow, text: write(invite) }, proven);
  }

  /** The caller of a call that nobody knows yet went away. */
  ended(call: CallHandle): void {
    if (this.#asking.size > 0) this.#asking.delete(call);
  }

  /** `handed`: what another process found out, and that it is to be served here. */
  #start(output: Invite, sender: Extract<Sender, { kind: 'line' }>, handed?: Proven['taking'] | 'here'): Soon<void> {
    const { calls, mates } = this.#o;
    const { call, message, flow } = output;
    const { line, gateway } = sender;
    // TLS on every hop was asked for, and the first one lacked it (RFC 3261 section 26.2.2): with a SIP URI it may be tried again.
    if (isSips(message.uri) && !isSecure(flow)) return this.#reject(call, 416, []);
    // What was handed on was let in there.
    if (handed === undefined && line.class === 'standard' && calls.countOf(line.id) >= LINE_CALLS) {
      this.#reject(call, 403, []);
      return;
    }
    const dialled = dialledBy(message.uri, this.#o.isOurs);
    if (dialled === undefined) {
      this.#reject(call, 404, []);
      return;
    }
    const privacy = privacyOf(message);
    if (privacy.critical && privacy.unknown) return this.#reject(call, 500, [], NO_PRIVACY);
    const replaced = this.replaces.wanted(message, line);
    if (replaced !== undefined && 'refuse' in replaced) {
      if (replaced.refuse === 481 && mates !== undefined && handed === undefined)
        return this.#elsewhere(output, sender);
      this.#reject(call, replaced.refuse, []);
      return;
    }
    const facts: Facts = {
      caller: shownLine(line),
      line,
      replaces: replaced,
      taking: handed === 'here' ? undefined : handed,
      hidden: privacy.hidden ? true : undefined,
      direct: gateway === undefined,
      open: gateway === undefined && shows(output),
      gateway: gateway?.gateway,
      dialled,
      diverted: gateway === undefined ? undefined : sentOnIn(message),
    };
    const named = gateway === undefined ? undefined : readReferredBy(message);
    const begin = (referredBy?: string) => {
      const known = referredBy === undefined ? facts : { ...facts, referredBy };
      return line.class === 'standard'
        ? this.#limited(output, privacy, line, known)
        : this.#begin(output, privacy, known);
    };
    return named === undefined ? begin() : this.#referred(call, named, line, begin);
  }

  /** A gateway says that a line transferred the call: it speaks for those of its own home. */
  async #referred(
    call: CallHandle,
    named: string,
    { home }: LineRow,
    begin: (by?: string) => Soon<void>,
  ): Promise<void> {
    this.#asking.add(call);
    const by = await this.#o.lines.byUser(named);
    // The caller may have hung up meanwhile.
    if (this.#asking.delete(call)) await begin(by?.home === home ? by.number : undefined);
  }

  /** A line of a limited number of calls begins one where it has a place, which another process may have to give. */
  #limited(output: Invite, privacy: Privacy, line: LineRow, facts: Facts): Soon<void> {
    const { calls } = this.#o;
    const { call } = output;
    const begin = () =>
      calls.fits(line.id, LINE_CALLS) ? this.#begin(output, privacy, facts) : this.#reject(call, 403, []);
    const wait = calls.ensure(line.id, LINE_CALLS);
    if (wait === undefined) return begin();
    this.#asking.add(call);
    return wait.then(() => {
      // The caller may have hung up meanwhile.
      if (this.#asking.delete(call)) begin();
    });
  }

  #begin(output: Invite, { session, critical, history, none }: Privacy, facts: Facts): void {
    const { calls, clock, newId, sip } = this.#o;
    const { call, message, flow, offer } = output;
    // Help comes before it.
    const keeps = (session || critical || history || none) && facts.help === undefined;
    const hops = hopsOf(message);
    const live = newLive({
      caller: facts.caller,
      line: facts.line,
      hidden: facts.hidden,
      privacy: keeps ? { session, critical, history, none } : undefined,
      direct: facts.direct,
      open: facts.open,
      gateway: facts.gateway,
      contact: message.contacts[0]?.uri,
      dialled: facts.dialled,
      replaces: facts.replaces,
      taking: facts.taking,
      help: facts.help,
      cameBy: facts.cameBy,
      callBack: facts.callBack,
      verstat: facts.verstat,
      proof: facts.proof,
      diverted: facts.diverted,
      referredBy: facts.referredBy,
      hops,
      callId: message.callId.slice(0, 256),
      startedAt: clock.wall(),
      flow,
      id: newId('chn'),
    });
    sip.act((endpoint, now, out) => endpoint.known(call, now, out));
    calls.add(live, call);
    if (facts.cameBy !== undefined) calls.count(live, facts.cameBy);
    // Who needs help is looked for as widely as can be.
    calls.feed(live, { on: 'invite', sdp: offer, breadth: facts.help === undefined ? hops.breadth : undefined });
  }

  /** A call from outside reaches our own numbers alone; one that we sent out ourselves has come round. */
  async #fromTrunk(output: Invite, trunk: Trunk): Promise<void> {
    const { calls, lines, outside } = this.#o;
    const { call, message } = output;
    if (calls.isOwn(message.callId)) return this.#reject(call, 482, []);
    if (calls.countOf(trunk.id) >= callsOf(trunk)) {
      return this.#reject(call, 503, [['Retry-After', '10']]);
    }
    // No party of a trunk's has a place here that another could take.
    if (message.header('Replaces') !== undefined) return this.#reject(call, 403, []);
    const privacy = privacyOf(message);
    if (privacy.critical && privacy.unknown) return this.#reject(call, 500, [], NO_PRIVACY);
    const arrival = readArrival(trunk, message);
    const { called, caller, hidden, diverted, referredBy } = arrival;
    this.#asking.add(call);
    let line: LineRow | undefined;
    for (const number of called) line ??= await lines.byUser(number);
    await calls.ensure(trunk.id, callsOf(trunk));
    const { in: checks = 'ignore' } = trunk.settings.identity ?? {};
    const checked =
      line === undefined || checks === 'ignore' ? undefined : await outside.identity.verify(trunk.id, message, arrival);
    if (!this.#asking.delete(call)) return;
    if (line === undefined) return this.#reject(call, 404, []);
    if (calls.circles.closed(caller.number, line.number)) return this.#reject(call, 482, []);
    const callBack = outside.emergency.isCallBack(line.id, trunk.id, message);
    if (checks === 'require' && checked?.fault !== undefined && !callBack) return this.#unproven(call, checked.fault);
    if (!calls.fits(trunk.id, callsOf(trunk))) return this.#reject(call, 503, [['Retry-After', '10']]);
    this.#o.trust(output.flow);
    this.#begin(output, privacy, {
      ...{ caller, dialled: line.number, cameBy: trunk.id, direct: true, open: false },
      ...(hidden ? { hidden } : {}),
      ...(callBack ? { callBack } : {}),
      ...(checked === undefined ? {} : { verstat: checked.verstat }),
      ...(checked?.verstat === 'TN-Validation-Passed' ? { proof: message.headerAll('Identity') } : {}),
      ...(diverted.length === 0 ? {} : { diverted }),
      ...(referredBy === undefined ? {} : { referredBy }),
    });
  }

  /** The caller's signature does not hold: said by the status and, for those behind other elements, by Reason (RFC 9410 section 3). */
  #unproven(call: CallHandle, fault: keyof typeof REFUSED): void {
    const { status, reason } = REFUSED[fault];
    this.#reject(call, status, [['Reason', `STIR;cause=${status};text="${reason}"`]], reason);
  }

  /** A call for help; where it is none in the country of the home, its sender, for an ordinary call. */
  async #helped(output: Invite): Promise<Sender | undefined> {
    const { access, outside } = this.#o;
    const { call, message, flow } = output;
    this.#asking.add(call);
    // A store that cannot be read proves nobody; what is known without it may still speak for the caller.
    const unread: Sender = { kind: 'refuse', status: 503, headers: [] };
    const sender = await Promise.resolve(access.sender(message, flow)).catch(() => unread);
    const who = await this.#helpCaller(sender, flow);
    const read = await outside.emergency.read(message.uri, who.home);
    if (!this.#asking.delete(call)) return undefined;
    if (read === undefined) return sender;
    const help = outside.emergency.begin(read, who, message);
    if (who.by === 'none') {
      this.#reject(call, 403, []);
      return undefined;
    }
    const { line, gateway } = who;
    this.#begin(output, privacyOf(message), {
      caller: line === undefined ? { number: 'anonymous' } : shownLine(line),
      ...(line === undefined ? {} : { line }),
      ...(gateway === undefined ? {} : { gateway }),
      direct: gateway === undefined,
      open: gateway === undefined && shows(output),
      dialled: help.number,
      help,
    });
    return undefined;
  }

  /** Who calls for help: by its credential or gateway, else by its address. */
  async #helpCaller(sender: Sender, flow: Flow): Promise<HelpCaller> {
    const { access, outside } = this.#o;
    if (sender.kind === 'line' && sender.gateway === undefined) {
      return { by: 'credential', line: sender.line, home: sender.line.home };
    }
    if (flow.peer.kind === 'none') return outside.emergency.byAddress(flow);
    const { trusted } = flow.peer;
    const gateway = await Promise.resolve(access.gatewayOf(flow)).catch(() => 'unreadable' as const);
    // Our own certificate without the table of who has it is enough to be helped.
    if (gateway === 'unreadable') return { by: trusted ? 'gateway' : 'none' };
    if (gateway === undefined) return { by: 'none' };
    return outside.emergency.byGateway(gateway, sender.kind === 'line' ? sender.line : undefined);
  }

  #reject(call: CallHandle, status: number, headers: readonly (readonly [string, string])[], reason?: string): void {
    const said = { headers, ...(reason === undefined ? {} : { reason }) };
    this.#o.sip.act((endpoint, now, out) => endpoint.reject(call, status, said, now, out));
  }
}

/** A direct phone shows where it truly is. */
function shows({ message, flow, offer }: Invite): boolean {
  return isOpen(message.contacts[0]?.uri, flow) && rtpHost(offer) === flow.remote.host;
}
