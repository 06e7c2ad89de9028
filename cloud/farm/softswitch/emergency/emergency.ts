/**
 * Calls for help at the softswitch: who calls is known by credential, by the gateway's flow, or by an address that held a registration
 * within a day; nobody else gets through. The way is the operator's own, and nothing else of the farm is asked: no session manager, no
 * bill, no limit. What happened stands in a list of its own and becomes a record afterwards.
 */
import type { Bus } from '#cloud/bus/bus.ts';
import { type LineRow, linesOfHome } from '#cloud/store/directory.ts';
import { eventRow } from '#cloud/store/event-log.ts';
import { type EmergencyPolicy, emergencyPolicy, locationOfHome } from '#cloud/store/outside.ts';
import { type Statement, type Store, sql } from '#cloud/store/store.ts';
import { type EmergencyCall, readAnywhere, readEmergency } from '#shared/call/emergency.ts';
import { pidfLo } from '#shared/call/location.ts';
import { Budget, type Rate } from '#shared/kernel/budget.ts';
import { latin1, utf8 } from '#shared/kernel/bytes.ts';
import type { World } from '#shared/kernel/world.ts';
import type { SipMessage } from '#shared/sip/message.ts';
import { PIDF } from '#shared/sip/multipart.ts';
import type { Flow } from '#shared/sip/types.ts';
import type { Lines } from '../lines.ts';
import { SELF } from '../media.ts';
import type { TrunkWay } from '../trunk/trunk.ts';
import type { Trunks } from '../trunk/trunks.ts';
import type { Addresses } from './addresses.ts';
import { conveyed, type Located, locatedIn } from './conveyed.ts';
import type { Help, HelpCaller } from './help.ts';

/** Milliseconds after a call for help in which a call from outside to that line counts as the call back. */
export const CALL_BACK_WITHIN = 1_800_000;
/** Refused strangers that are written down. */
const STRANGERS: Rate = { perSecond: 0.2, burst: 20 };
/** Milliseconds between two alarms about strangers who dial emergency codes, and between two about calls that nobody took. */
const ALARM_EVERY = 60_000;

export interface EmergencyOptions {
  readonly world: World;
  readonly store: Store;
  readonly bus: Bus;
  readonly lines: Lines;
  readonly trunks: Trunks;
  readonly addresses: Addresses;
  readonly domain: string;
  readonly newId: (prefix: 'emc') => string;
}

export class Emergency {
  readonly #o: EmergencyOptions;
  #policy: EmergencyPolicy = { routes: [] };
  readonly #strangers = new Budget();
  /** What `maybe` was asked last. */
  #asked = { uri: '', maybe: false };
  /** Wall clock, ms, of the last alarm of each cause. */
  readonly #alarmed = new Map<string, number>();
  /** Lines that may be called back, and until when (wall clock, ms). */
  readonly #callBacks = new Map<string, number>();

  constructor(options: EmergencyOptions) {
    this.#o = options;
  }

  async load(): Promise<void> {
    const { store, world } = this.#o;
    this.#policy = await emergencyPolicy(store);
    const since = world.clock.wall() - CALL_BACK_WITHIN;
    const rows = await store.all<{ line: string; at: number; ended_at: number | null }>(
      "SELECT line, at, ended_at FROM emergency_call WHERE line IS NOT NULL AND by <> 'none' AND at > ? ORDER BY at",
      [since - CALL_BACK_WITHIN],
    );
    for (const { line, at, ended_at } of rows) this.#callBacks.set(line, (ended_at ?? at) + CALL_BACK_WITHIN);
  }

  /** The call for help that a Request-URI is in any country; who asks decides later whether it is one at home. */
  maybe(uri: string): boolean {
    // Asked of one INVITE at every door that it passes.
    if (uri !== this.#asked.uri) this.#asked = { uri, maybe: readAnywhere(uri) !== undefined };
    return this.#asked.maybe;
  }

  /** Reads what was dialled in the country of the home. */
  async read(uri: string, home: string | undefined): Promise<EmergencyCall | undefined> {
    const found = home === undefined ? undefined : await locationOfHome(this.#o.store, home).catch(() => undefined);
    return readEmergency(uri, found?.location.country ?? this.#policy.country);
  }

  /** True where a phone that registered was at that address lately. */
  knows(flow: Flow): boolean {
    return this.#o.addresses.lineOf(flow.remote.host) !== undefined;
  }

  /** A stranger's call for help, where its number is one by the policy: noted, as `begin` does. */
  refuses(message: SipMessage): boolean {
    const call = readEmergency(message.uri, this.#policy.country);
    if (call === undefined) return false;
    this.begin(call, { by: 'none' }, message);
    return true;
  }

  /** Who calls where no credential was shown: the address may speak for it. */
  async byAddress(flow: Flow): Promise<HelpCaller> {
    const id = this.#o.addresses.lineOf(flow.remote.host);
    if (id === undefined) return { by: 'none' };
    try {
      const line = await this.#o.lines.byId(id);
      return line === undefined ? { by: 'none' } : { by: 'address', line, home: line.home };
    } catch {
      // The address is known, only not whose it was: better a call without a number than none.
      return { by: 'address' };
    }
  }

  /** The line that can be called back at a gateway which named none of its own. */
  async byGateway(
    gateway: { readonly gateway: string; readonly home: string },
    line: LineRow | undefined,
  ): Promise<HelpCaller> {
    const lines = line?.home === gateway.home ? [line] : await linesOfHome(this.#o.store, gateway.home).catch(() => []);
    const [own] = lines;
    return { by: 'gateway', home: gateway.home, gateway: gateway.gateway, ...(own === undefined ? {} : { line: own }) };
  }

  /**
   * Writes down that help was called for; of strangers, who may call without end, only as many as there is room for. A store that is slow or
   * broken must not hold the call up.
   */
  begin(call: EmergencyCall, who: HelpCaller, message: SipMessage): Help {
    const { world, newId } = this.#o;
    const at = world.clock.wall();
    const id = newId('emc');
    const { line, home, by } = who;
    const from = line?.number ?? '';
    const insert =
      'INSERT INTO emergency_call (id, at, home, line, party_from, dialled, service, by) VALUES (?, ?, ?, ?, ?, ?, ?, ?)';
    const what = home === undefined ? {} : { home };
    const data = { ...what, from, dialled: call.number, service: call.service, by };
    const type = by === 'none' ? ('home.emergency.v1.refused' as const) : ('home.emergency.v1.called' as const);
    const isNoted = by !== 'none' || this.#strangers.take('', STRANGERS, world.clock.mono()) === 0;
    const written = [
      sql(insert, id, at, home ?? null, line?.id ?? null, from, call.number, call.service, by),
      eventRow(world, { type, ...what, subject: id, data }),
    ];
    if (isNoted) this.#write(written);
    if (by === 'none')
      this.#alarm('major', 'emergency-refused', `Somebody unknown dialled ${call.number} and was refused`);
    if (line !== undefined && by !== 'none') this.#mayCallBack(line.id);
    const located = locatedIn(message);
    return { ...call, id, ...what, ...(located.length === 0 ? {} : { located }) };
  }

  /** The ways to those who help, in the order of the policy. */
  async ways(help: Help, number: string): Promise<TrunkWay[]> {
    const { store, trunks, domain } = this.#o;
    const found = help.home === undefined ? undefined : await locationOfHome(store, help.home).catch(() => undefined);
    const country = found?.location.country ?? this.#policy.country;
    const located: Located[] = [...(help.located ?? [])];
    if (found !== undefined) {
      const at = new Date(found.at).toISOString();
      // What an element on the way adds comes last (RFC 6442 section 4.1).
      located.push({ part: { type: PIDF, body: latin1(utf8(pidfLo(found.location, `sip:${number}@${domain}`, at))) } });
    }
    const { headers, parts } = conveyed(located, (n) => `${help.id}-${n}@${domain}`);
    const here = this.#policy.routes.filter(
      ({ countries }) => country === undefined || (countries?.includes(country) ?? true),
    );
    const exact = here.filter(({ services }) => services?.some((one) => isKindOf(help.service, one)) ?? true);
    // Any who help are better than nobody.
    const fitting = exact.length > 0 ? exact : here;
    const ways = await Promise.all(
      fitting.map(({ trunk, call = 'urn' }) =>
        trunks.waysBy(trunk, () => (call === 'urn' ? help.service : call === 'dialled' ? help.number : call)),
      ),
    );
    const alive = ways.flat().map((way) => ({ ...way, parts, headers: [...headers, PRIORITY] }));
    // One that did not answer lately is tried all the same, after the others.
    return alive.toSorted((a, b) => Number(trunks.isDown(a.trunk.id)) - Number(trunks.isDown(b.trunk.id)));
  }

  /** The call is over; `trunk` is the one that took it, `unserved`: nobody did, and the caller waited for it. */
  over(
    help: Help,
    how: {
      readonly line: string | undefined;
      readonly trunk: string | undefined;
      readonly outcome: string;
      readonly unserved: boolean;
    },
  ): void {
    const { line, trunk, outcome, unserved } = how;
    const at = this.#o.world.clock.wall();
    if (line !== undefined) this.#mayCallBack(line);
    if (unserved)
      this.#alarm('critical', 'emergency-unserved', `Nobody took a call for help to ${help.number} (${outcome})`);
    const update = 'UPDATE emergency_call SET trunk = ?, outcome = ?, ended_at = ? WHERE id = ?';
    this.#write([sql(update, trunk ?? null, outcome, at, help.id)]);
  }

  /** True where a call from outside to this line is the call back: from a trunk of the policy, or one that says so (RFC 7090). */
  isCallBack(line: string, trunk: string, message: SipMessage): boolean {
    if ((this.#callBacks.get(line) ?? 0) < this.#o.world.clock.wall()) return false;
    const said = message.header('Priority')?.toLowerCase() === 'psap-callback';
    return said || this.#policy.routes.some((route) => route.trunk === trunk);
  }

  /** Those who help may call this line from now on, for a while. */
  #mayCallBack(line: string): void {
    const now = this.#o.world.clock.wall();
    for (const [id, until] of this.#callBacks) if (until < now) this.#callBacks.delete(id);
    this.#callBacks.set(line, now + CALL_BACK_WITHIN);
  }

  #alarm(severity: 'critical' | 'major', cause: string, what: string): void {
    const { bus, world } = this.#o;
    const now = world.clock.wall();
    if (now - (this.#alarmed.get(cause) ?? 0) < ALARM_EVERY) return;
    this.#alarmed.set(cause, now);
    const raise = { severity, cause, text: `${what}; see the list of emergency calls.` };
    void bus.request('alarm.raise', raise, SELF).catch(() => undefined);
  }

  #write(statements: readonly Statement[]): void {
    const { store, world, bus } = this.#o;
    store.commit(statements).then(
      () => bus.publish('event.appended', {}),
      (error: unknown) => world.log.error('softswitch.emergency-not-kept', { error: String(error) }),
    );
  }
}

/** A service is each of those above it too (RFC 5031 section 3). */
const isKindOf = (service: string, other: string): boolean => service === other || service.startsWith(`${other}.`);

/** RFC 3261 section 20.26. */
const PRIORITY = ['Priority', 'emergency'] as const;
