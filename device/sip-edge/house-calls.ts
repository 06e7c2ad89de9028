/**
 * Calls from phones of the house: drives what `house-route.ts` decides, and keeps what it goes by (features, calls of late). Whatever
 * concerns the house alone is done here, with the cloud or without it.
 */
import { CALLER, type Refused } from '#shared/call/call.ts';
import type { Meant } from '#shared/call/features/dialling.ts';
import { divertedAfter, sentOnBy } from '#shared/call/features/diverted.ts';
import { type Changes, withChanges } from '#shared/call/features/document.ts';
import { FORWARD_LIMIT } from '#shared/call/features/forwarding.ts';
import { namedIn } from '#shared/call/features/named.ts';
import { longestRinging } from '#shared/call/features/pickup.ts';
import { type KeptTries, PinTries } from '#shared/call/features/pin-tries.ts';
import { alertInfo, known } from '#shared/call/features/presentation.ts';
import { type PastCall, WITHHELD } from '#shared/call/features/recent.ts';
import type { World } from '#shared/kernel/world.ts';
import type { FeaturesDocument } from '#shared/protocol/documents.ts';
import type { VerbRequest } from '#shared/protocol/verbs/index.ts';
import { withheld } from '#shared/sip/diversion.ts';
import { writeHistory } from '#shared/sip/history-info.ts';
import { OF_HISTORY } from '#shared/sip/privacy.ts';
import type { EndpointOutput } from '#shared/sip/types.ts';
import { parseNameAddr, parseUri, writeNameAddr } from '#shared/sip/uri.ts';
import type { Confirmations } from './confirm.ts';
import { CALLEE_LEG, type EdgeCall, type NamedLine, type Ring } from './edge-call.ts';
import { lineOf } from './end.ts';
import type { House } from './house.ts';
import { HousePolicy, toldOf, type Untold } from './house-policy.ts';
import { type HouseView, nextLine, type Way, wayOf } from './house-route.ts';
import type { HouseSwitch } from './house-switch.ts';
import { Recent } from './recent.ts';
import type { RecordClock } from './record-clock.ts';
import { answeredBy, refusedBy, ringsNow } from './rung.ts';
import type { Together } from './three-way.ts';

/** From of a caller that withholds its number (RFC 3323 section 4.1.1.3). */
const ANONYMOUS = '"Anonymous" <sip:anonymous@anonymous.invalid>';

/** Why nobody outside is called: the caller hears of it, whoever rang in the house. */
const OUTSIDE = new Set(['server_unavailable', 'destination_barred']);

/** Who rings when nobody took a call: a line of the house, somebody outside as a phone dials for the caller, or nobody, for this reason. */
type Next =
  | { readonly do: 'ring'; readonly line: NamedLine }
  | { readonly do: 'out'; readonly to: string }
  | { readonly do: 'refuse'; readonly no: Refused };

const ringing = (line: NamedLine | undefined): Next | undefined => line && { do: 'ring', line };

/** What is kept over a restart. */
export interface KeptFeatures {
  readonly untold: readonly Untold[];
  readonly past: readonly PastCall[];
  readonly pins: readonly KeptTries[];
}

export interface HouseCallsOptions {
  readonly world: World;
  /** Dates calls. */
  readonly times: RecordClock;
  readonly house: House;
  readonly calls: () => HouseSwitch;
  readonly domain: () => string;
  readonly confirmations: Confirmations;
  /** There is a way to the softswitch. */
  readonly cloud: () => boolean;
  /** Whether that calls for help. */
  readonly isHelp: (dialled: string) => boolean;
  /** A call that is parked where this one dials is given to it; false where none is. */
  readonly fetch: (call: EdgeCall, from: NamedLine) => boolean;
  /** The two calls of the line and this one become a talk of three, here where that can be. */
  readonly together: (call: EdgeCall, from: NamedLine) => Together;
  /** A star code was taken here; the cloud is to hear of it. */
  readonly tell: (change: VerbRequest<'line.features.tell'>) => void;
  /** No PIN is taken from that line for a while. */
  readonly locked: (line: string) => void;
  readonly keep: (kept: KeptFeatures) => void;
}

export class HouseCalls {
  readonly #o: HouseCallsOptions;
  readonly #policy = new HousePolicy();
  readonly #recent = new Recent();
  readonly #pins = new PinTries();
  /** What an earlier process left untold has been told again. */
  #toldAgain = false;

  constructor(options: HouseCallsOptions) {
    this.#o = options;
  }

  restore({ untold, past, pins }: KeptFeatures): void {
    this.#pins.restore(pins, this.#o.world.clock.wall());
    this.#policy.restore(untold);
    this.#recent.restore(past);
  }

  apply(document: FeaturesDocument): void {
    this.#policy.apply(document);
    this.#keep();
  }

  /** The lines are known, and so is whom to tell. */
  linesChanged(): void {
    const { house, tell } = this.#o;
    const isLine = (line: string) => house.byId(line) !== undefined;
    this.#policy.keepOnly(isLine);
    this.#recent.keepOnly(isLine);
    this.#keep();
    if (!this.#toldAgain) for (const untold of this.#policy.untold()) tell(toldOf(untold));
    this.#toldAgain = true;
  }

  /** Whom this line holds hears nothing: its owner said so. */
  holdsInSilence(line: NamedLine): boolean {
    return this.#policy.of(line.id).noHoldMusic === true;
  }

  /** Finds the way of a call from a phone of the house. */
  route(call: EdgeCall, from: NamedLine): void {
    if (this.#o.fetch(call, from)) return;
    const calls = this.#o.calls();
    const way = wayOf(this.#view(call), {
      ...{ from, dialled: call.dialled, hidden: call.hidden === true },
      taken: (meant, pin) => this.#taken(from.id, call.dialled, meant, pin),
    });
    if (way.do === 'ring') return void this.#ring(call, from, way);
    if (way.do === 'change') return void this.#change(call, from, way);
    if (way.do === 'pickup' && this.#pickUp(call, from, way.at)) return;
    if (way.do === 'refuse') return void calls.lost(call, way);
    if (way.do === 'together') return void this.#together(call, from);
    if (way.do === 'wait') return void this.#wait(call, from, way);
    if (way.do === 'pickup' && !this.#o.cloud())
      return void calls.lost(call, { status: 404, reason: 'callee_unknown' });
    if (way.do === 'cloud' && way.to !== undefined)
      this.#past({ line: from.id, to: way.to, rung: [{ from: from.number }] });
    calls.toCloud(call);
  }

  /** With the cloud there, codes with a PIN are judged by it. */
  #taken(line: string, dialled: string, meant: Meant, pin: string | undefined): Meant {
    if (this.#o.cloud()) return meant;
    const judged = this.#pins.taken(line, pin, dialled, meant, this.#o.world.clock.wall());
    if (judged.changed !== undefined) this.#keep();
    if (judged.changed?.locked === true) this.#o.locked(line);
    return judged.meant;
  }

  /** Whom a phone of the house reaches that is in a call already, such as who is transferred there. */
  linesTo(dialled: string, from: NamedLine): readonly NamedLine[] | 'cloud' | undefined {
    const way = wayOf(this.#view(), { from, dialled, hidden: false });
    if (way.do === 'ring') return [way.line, ...way.along];
    return way.do === 'cloud' ? 'cloud' : undefined;
  }

  /** Whether a line withholds its number on every call. */
  withholds(line: NamedLine): boolean {
    return this.#policy.of(line.id).hideNumber === true;
  }

  /** A call that nobody took: whom it rings next. `moved`: what its phone dials for the caller; for who called from outside the softswitch sees to that. */
  reroute(call: EdgeCall, reason: string, moved?: string): void {
    const { calls, times, domain } = this.#o;
    const { driver } = calls();
    const round = call.round ?? 0;
    if (call.from === undefined && moved !== undefined)
      return void driver.feed(call, { on: 'refused', status: 302, reason, moved: `sip:${moved}@${domain()}` });
    const by = moved === undefined ? call.governs : call.inside?.id;
    const next = by === undefined || round >= FORWARD_LIMIT ? undefined : this.#next(call, by, reason, moved);
    if (next === undefined || next.do === 'refuse' || call.from === undefined)
      return void driver.feed(call, { on: 'refused', ...(next?.do === 'refuse' ? next.no : { status: 480, reason }) });
    call.round = round + 1;
    const governs = this.#o.house.byId(by ?? '');
    if (governs !== undefined) {
      const sent = sentOnBy(governs.number, this.#policy.of(governs.id), divertedAfter(reason));
      call.diverted = [...(call.diverted ?? []), sent];
    }
    if (next.do === 'out') return void driver.later(calls().sendOut(call, next.to));
    const { line } = next;
    call.inside = line;
    call.rung = ringsNow(call.rung ?? [], [line], reason, times.now());
    this.#past({ to: call.dialled, rung: [{ line: line.id, from: this.#named(call, call.from) }] });
    const target = { leg: CALLEE_LEG, branches: calls().branches(call, [line], `r${call.round}`) };
    driver.feed(call, { on: 'rerouted', target, ringFor: call.ringFor ?? 0, again: true });
  }

  /** Who rings next: as a phone of the line wants, or by the line's own wishes. */
  #next(call: EdgeCall, by: string, reason: string, moved?: string): Next | undefined {
    const rung = new Set((call.rung ?? []).map(({ line }) => line));
    const view = this.#view(call);
    const owner = this.#o.house.byId(by);
    const { from, hidden = false } = call;
    if (moved === undefined) return ringing(from && nextLine(view, by, reason, { from, hidden, rung }));
    if (owner === undefined || this.#o.isHelp(moved)) return undefined;
    const way = wayOf(view, { from: owner, dialled: moved, hidden: false });
    if (way.do === 'ring')
      return ringing([way.line, ...way.along].find(({ id }) => !rung.has(id) && view.hasPhone(id)));
    if (way.do === 'cloud' && way.to !== undefined) return { do: 'out', to: moved };
    if (way.do !== 'refuse' || !OUTSIDE.has(way.reason)) return undefined;
    return { do: 'refuse', no: { status: way.status, reason: way.reason, final: true } };
  }

  /** The user of an address of ours. */
  dialledIn(text: string): string | undefined {
    const { domain, world } = this.#o;
    const uri = parseUri(text);
    const own = (host: string) => host === domain() || world.net.addresses().some((one) => one.host === host);
    return uri !== undefined && (uri.scheme === 'tel' || own(uri.host)) ? uri.user : undefined;
  }

  /** Somebody outside calls a line of the house. */
  cameIn(call: EdgeCall, line: NamedLine): void {
    const user = parseUri(parseNameAddr(call.shown)?.uri ?? '')?.user ?? WITHHELD;
    this.#past({ to: line.number, rung: [{ line: line.id, from: user }] });
  }

  up(call: EdgeCall): void {
    this.#o.confirmations.up(call);
  }

  /** A phone that rings refuses, before its call hears of it: the others ring on, and whoever answers, its line did not. */
  refused({ call: handle, status, message }: Extract<EndpointOutput, { do: 'failed' }>): void {
    const { call, party } = this.#o.calls().driver.ofHandle(handle) ?? {};
    const branch = call?.state.branches.get(party ?? '');
    if (call?.rung === undefined || branch?.at !== 'ringing' || branch.to.kind !== 'phone') return;
    const { id } = branch.to.line;
    // A phone that sends the call on has not refused, nor has one that is tried over another flow.
    const other = (message === undefined || status === 430) && (branch.others?.length ?? 0) > 0;
    if (status < 400 || other) return;
    const rings = [...call.state.branches.values()].filter(({ at, callee }) => at === 'ringing' && callee === id);
    // A 6xx speaks for its line (RFC 3261 section 16.7 step 5).
    const isLast = status >= 600 || rings.length === 1;
    call.rung = refusedBy(call.rung, id, status, isLast, this.#o.times.now());
  }

  /** Somebody answered. */
  answered(call: EdgeCall): void {
    const by = lineOf({ call, party: call.state.winner ?? '' });
    if (call.inside === undefined || by === undefined) return;
    call.inside = by;
    call.rung = answeredBy(call.rung ?? [], by, this.#o.times.now());
  }

  over(call: EdgeCall): void {
    this.#o.confirmations.over(call);
  }

  /** How a call of the house shows on a phone of this line. */
  shown(call: EdgeCall, line: NamedLine): { readonly from: string; readonly headers: (readonly [string, string])[] } {
    const hidden = call.hidden === true;
    const { name, ring } = known(this.#policy.of(line.id), call.from?.number, hidden);
    const { diverted = [], privacy = [] } = call;
    const told = privacy.some((value) => OF_HISTORY.has(value)) ? withheld(diverted) : diverted;
    const history = writeHistory(told, { called: line.number, domain: domainOf(call), trusted: false });
    const headers = [
      ...alertInfo({ ring, inside: true, talking: this.#talking(line.id, call) }),
      ...history.map((value) => ['History-Info', value] as const),
    ];
    if (hidden) return { from: ANONYMOUS, headers: [['Privacy', 'id'], ...headers] };
    const own = parseNameAddr(call.shown);
    const from = name === undefined || own === undefined ? call.shown : writeNameAddr({ ...own, display: name });
    return { from, headers };
  }

  #ring(call: EdgeCall, from: NamedLine, way: Extract<Way, { do: 'ring' }>): void {
    const { times, calls } = this.#o;
    const lines = [way.line, ...way.along];
    call.hidden = way.hidden;
    if (way.diverted !== undefined) call.diverted = way.diverted;
    call.inside = way.line;
    call.rung = ringsNow([], lines, '', times.now());
    const shown = this.#named(call, from);
    this.#past({ line: from.id, to: way.to, rung: lines.map(({ id }) => ({ line: id, from: shown })) });
    if (way.again) call.governs = way.line.id;
    calls().ringInside(call, calls().branches(call, lines, 'p'), way);
  }

  #change(call: EdgeCall, from: NamedLine, way: Extract<Way, { do: 'change' }>): void {
    const { confirmations, tell, world } = this.#o;
    const changes = way.changes !== undefined && this.#mayChange(from, way.changes) ? way.changes : undefined;
    if (changes !== undefined) {
      const untold = this.#policy.change(from, changes, world.clock.wall());
      this.#keep();
      tell(toldOf(untold));
    }
    confirmations.say(call, changes !== undefined);
  }

  /** Help is dialled itself: no code leads there. */
  #mayChange(from: NamedLine, changes: Changes): boolean {
    const set = withChanges({}, changes);
    const named = [...namedIn(set), ...(set.short ?? []).map(({ to }) => to)];
    return this.#policy.mayChange(from.id, changes) && !named.some(this.#o.isHelp);
  }

  /** Whoever dials after all does so in another call, and gives this one up. */
  #wait(call: EdgeCall, from: NamedLine, { ms, to }: Extract<Way, { do: 'wait' }>): void {
    const { clock } = this.#o.world;
    clock.at(clock.mono() + ms, () => {
      if (call.state.at !== 'routing') return;
      call.dialled = to;
      this.route(call, from);
    });
  }

  #together(call: EdgeCall, from: NamedLine): void {
    const calls = this.#o.calls();
    const found = this.#o.together(call, from);
    if (found.do === 'cloud') calls.toCloud(call);
    else if (found.do === 'refuse') calls.lost(call, found);
  }

  /** A call that rings in the house is taken by this one; false where none rings that could be. */
  #pickUp(call: EdgeCall, from: NamedLine, at: string | undefined): boolean {
    const { driver } = this.#o.calls();
    const ringing = [...driver.all()].flatMap((other) => {
      if (other === call || other.state.at !== 'ringing' || other.inside === undefined) return [];
      return [...other.state.branches.values()].flatMap(({ at: state, to }) =>
        state === 'ringing' && to.kind === 'phone' && to.phone.flow.local.host === call.flow.local.host
          ? [{ line: to.line.id, since: other.startedAt, call: other }]
          : [],
      );
    });
    const found = longestRinging(ringing, from.id, at);
    if (found === undefined || call.contact === undefined || call.state.offer === undefined) return false;
    const to: Ring = { kind: 'phone', phone: { uri: call.contact, flow: call.flow, path: [] }, line: from };
    driver.pickUp(call, found.call, { branch: `taken by ${call.id}`, leg: CALLEE_LEG, to });
    driver.feed(call, { on: 'refused', status: 404, reason: 'callee_unknown' });
    return true;
  }

  #named(call: EdgeCall, from: NamedLine): string {
    return call.hidden === true ? WITHHELD : from.number;
  }

  #past(call: PastCall): void {
    this.#recent.add(call);
    this.#keep();
  }

  #keep(): void {
    this.#o.keep({ untold: this.#policy.untold(), past: this.#recent.past, pins: this.#pins.kept() });
  }

  /** `call`: the one that is being routed, which does not count. */
  #view(call?: EdgeCall): HouseView {
    const { house, world, cloud } = this.#o;
    return {
      cloud: cloud(),
      line: (dialled) => house.dialled(dialled),
      features: (line) => this.#policy.of(line),
      hasPhone: (line) => house.phones(line, world.clock.mono()).length > 0,
      talking: (line) => this.#talking(line, call),
      last: (line, of) => this.#recent.last(line, of),
    };
  }

  #talking(line: string, but?: EdgeCall): number {
    let count = 0;
    for (const call of this.#o.calls().driver.all()) {
      if (call === but || call.state.at === 'ending') continue;
      const lines = new Set(
        [CALLER, ...call.state.branches.keys()]
          .filter((party) => party === CALLER || call.state.branches.get(party)?.at !== 'gone')
          // Who has left a call that goes on without it (parked, or of three) talks there no more.
          .filter((party) => call.state.at !== 'up' || call.handles.has(party))
          .map((party) => lineOf({ call, party })?.id),
      );
      if (lines.has(line)) count++;
    }
    return count;
  }
}

/** The domain by which the call's caller is named. */
function domainOf({ shown }: EdgeCall): string {
  return parseUri(parseNameAddr(shown)?.uri ?? '')?.host ?? 'anonymous.invalid';
}
