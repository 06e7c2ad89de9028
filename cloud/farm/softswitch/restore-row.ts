/** A call as its row tells it: what is written, and the call that a later process makes of it. */
import type { LineRow } from '#cloud/store/directory.ts';
import { CALLER } from '#shared/call/call.ts';
import { rangCall } from '#shared/call/call-restored.ts';
import { type PendingSide, restoredParts, type SavedSide } from '#shared/host/call-restore.ts';
import { NEVER } from '#shared/kernel/machine.ts';
import type { Flow } from '#shared/sip/types.ts';
import type { Help } from './emergency/help.ts';
import { type Callee, endOf, type Live, type Shown } from './live.ts';

/** What a row says of the line and gateway at the end of a side; the line by its id. */
interface Of {
  readonly gateway?: string;
  readonly line?: string;
}
type Side = SavedSide & Of;
type Pending = PendingSide & Of;

/** A call as it is written. */
export interface Body {
  readonly call: {
    readonly autonomous: boolean;
    readonly caller: Shown;
    /** The caller's number is withheld. */
    readonly hidden?: boolean;
    readonly direct: boolean;
    readonly dialled: string;
    readonly callId: string;
    readonly startedAt: number;
    readonly answeredAt?: number;
    /** It rang, and until when it was to ring, wall clock, ms. */
    readonly ringsUntil?: number;
    readonly relay: boolean;
    readonly owned: boolean;
    /** The trunks that it uses, and the call for help that it is. */
    readonly way?: string;
    readonly cameBy?: string;
    readonly help?: Help;
  };
  /** Those that have a dialog. */
  readonly sides: readonly Side[];
  /** Those whose INVITE has no final response, or whose 2xx may not have arrived. */
  readonly pending?: readonly Pending[];
}

/** A call of an earlier process. */
export interface Left {
  readonly live: Live;
  readonly sides: readonly SavedSide[];
  readonly pending: readonly PendingSide[];
}

/** The lines that a row names. */
export function* linesOf({ sides, pending = [] }: Body): Iterable<string> {
  for (const { line } of [...sides, ...pending]) if (line !== undefined) yield line;
}

/** `clock`: what is to be added to wall-clock time for monotonic time. */
export function restore(
  { call: id, session }: { readonly call: string; readonly session: string },
  body: Body,
  lines: ReadonlyMap<string, LineRow | undefined>,
  clock: number,
): Left {
  const { call, sides, pending = [] } = body;
  const lineOf = (one: Of | undefined) => (one?.line === undefined ? undefined : lines.get(one.line));
  const all: readonly (Side | Pending)[] = [...sides, ...pending.filter(({ party }) => !has(sides, party))];
  const side = all.find(({ party }) => party === CALLER);
  const callee = all.find(({ party }) => party !== CALLER);
  const line = lineOf(side);
  const parts =
    call.ringsUntil !== undefined
      ? rangParts(body, (one) => calleeOf(one, lineOf(one)), clock)
      : restoredParts<Callee>(all, call, callee && calleeOf(callee, lineOf(callee)));
  const late = pending.find(({ party }) => party === CALLER)?.pending.asked;
  const told = parts.state.sides.get(CALLER);
  if (late === true && told !== undefined) told.late = true;
  const live: Live = {
    id,
    ...parts,
    session,
    autonomous: call.autonomous,
    caller: call.caller,
    ...(call.hidden === true ? { hidden: true } : {}),
    ...(line === undefined ? {} : { line }),
    ...(side?.flow === undefined ? {} : { flow: side.flow }),
    ...(side?.gateway === undefined ? {} : { gateway: side.gateway }),
    direct: call.direct,
    open: false,
    dialled: call.dialled,
    callId: call.callId,
    ...outsideOf(call),
    counted: [],
    startedAt: call.startedAt,
    ...(call.ringsUntil === undefined ? { answeredAt: call.answeredAt ?? call.startedAt } : {}),
    // Its row stands.
    saving: Promise.resolve(),
  };
  return { live, sides, pending };
}

const has = (sides: readonly Side[], party: string): boolean => sides.some((one) => one.party === party);

function rangParts(
  { call, pending = [] }: Body,
  to: (one: Pending) => Callee,
  clock: number,
): ReturnType<typeof restoredParts<Callee>> {
  const caller = pending.find(({ party }) => party === CALLER);
  const { relay, owned, ringsUntil = 0 } = call;
  const branches = pending.filter(({ party }) => party !== CALLER);
  const state = rangCall<Callee>({
    ...{ callerLeg: caller?.leg ?? '', sdp: caller?.sdp, asked: caller?.pending.asked === true, relay, owned },
    branches: branches.map((one) => ({ branch: one.party, leg: one.leg, to: to(one) })),
    deadline: ringsUntil + clock,
  });
  const versions = new Map(pending.map((one) => [one.party, one.version]));
  return { state, handles: new Map(), versions, due: NEVER };
}

/** What ties a call to the outside. */
function outsideOf({
  way,
  cameBy,
  help,
}: Pick<Live, 'way' | 'cameBy' | 'help'>): Pick<Live, 'way' | 'cameBy' | 'help'> {
  return {
    ...(way === undefined ? {} : { way }),
    ...(cameBy === undefined ? {} : { cameBy }),
    ...(help === undefined ? {} : { help }),
  };
}

/** Without a line the other end is a trunk. */
function calleeOf(one: Side | Pending, line: LineRow | undefined): Callee {
  const { flow, gateway } = one;
  const uri = 'dialog' in one ? one.dialog.remoteTarget : (one.pending.invite.split(' ', 2)[1] ?? '');
  const contact = { uri, flow, path: [], open: false, ...(gateway === undefined ? {} : { gateway }) };
  return { contact, ...(line === undefined ? {} : { line }) };
}

/** What is of the call itself; `ringsUntil` of one that rings. */
export function callText(live: Live, ringsUntil: number | undefined): string {
  const { autonomous, caller, hidden, direct, dialled, callId, startedAt } = live;
  const { relay, owned } = live.state;
  const { way, cameBy, help } = live;
  const answeredAt = ringsUntil === undefined ? (live.answeredAt ?? startedAt) : undefined;
  const at = { startedAt, answeredAt, ringsUntil };
  return JSON.stringify({
    autonomous,
    caller,
    hidden,
    direct,
    dialled,
    callId,
    ...at,
    relay,
    owned,
    way,
    cameBy,
    help,
  });
}

/** What a side is written as: its own words, and its flow, which most calls share with others. */
export function sideText(live: Live, { flow, ...said }: SavedSide | PendingSide): string {
  const { gateway, line } = endOf(live, said.party);
  const text = JSON.stringify({ ...said, gateway, line: line?.id });
  return `${text.slice(0, -1)},"flow":${flowText(flow)}}`;
}

/** Flows as they are written: most calls go over one that carried others. */
const flows = new WeakMap<Flow, string>();

function flowText(flow: Flow): string {
  const known = flows.get(flow);
  if (known !== undefined) return known;
  const text = JSON.stringify(flow);
  flows.set(flow, text);
  return text;
}
