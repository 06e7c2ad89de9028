/**
 * Pairing, the gateway's side, as a pure machine.
 *
 *   unpaired -> announced -> claimed -> reconnecting -> configuring -> paired
 *        ^________________________|__________|______________|________|   undone, with a cause
 *
 * Who decides: until its first document is applied, the cloud cannot have called this gateway paired, so it may undo by
 * itself when the fail-safe of 60 s passes. From then on only the cloud knows: the gateway keeps what it has and asks
 * `pairing.standing`, over its own connection or, where that does not open, as an applicant by its permanent key. So no order
 * of losses and restarts leaves one side paired and the other not. A paired gateway that cannot connect asks the same
 * question: it may have been removed, or its certificate may have run out, and then it gets a new one by its permanent key.
 *
 * `saved` is what the disk holds; outputs are to be performed in order, `save` completed before what follows it.
 */
import { type Machine, NEVER, type Tick } from '#shared/kernel/machine.ts';
import { CODE_LIFETIME, FAIL_SAFE } from '#shared/protocol/pairing.ts';

/** A paired gateway's own certificate (90 days, its key changes with it) and who it is by it. PEM throughout. */
export interface Identity {
  readonly gateway: string;
  readonly home: string;
  readonly certificate: string;
  readonly key: string;
  /** The operator's authority. */
  readonly authority: string;
}

/** What lasts. `since` is the wall clock (ms) at which the claim was heard of. */
export type Saved =
  | { readonly at: 'unpaired'; readonly cause?: string }
  | { readonly at: 'claimed'; readonly since: number }
  | { readonly at: 'reconnecting' | 'configuring'; readonly since: number; readonly identity: Identity }
  | { readonly at: 'paired'; readonly identity: Identity };

type Question = 'announce' | 'standing' | 'certificate';

export interface PairingState {
  saved: Saved;
  /** The cloud knows the code that is shown. */
  announced: boolean;
  /** The open question's number; answers to older ones are ignored. 0: none is open. */
  open: number;
  lastTicket: number;
  /** What to ask next, and when (monotonic ms). */
  next: Question;
  askAt: number;
  /** The shown code's end and the pairing's fail-safe, monotonic ms. */
  codeUntil: number;
  deadline: number;
  /** The applicant's link is wanted; the gateway's own connection is up. */
  applying: boolean;
  connected: boolean;
}

export type Standing = 'unknown' | 'waiting' | 'pairing' | 'paired' | 'failed';

export type PairingInput =
  /** `wall` is the wall clock now. */
  | { readonly on: 'start'; readonly wall: number }
  /** The cloud's word about a claim. */
  | { readonly on: 'claimed'; readonly claimed: boolean; readonly cause?: string; readonly wall: number }
  | { readonly on: 'announced'; readonly ticket: number }
  | {
      readonly on: 'standing';
      readonly ticket: number;
      readonly state: Standing;
      readonly cause?: string;
      readonly wall: number;
    }
  | { readonly on: 'certified'; readonly ticket: number; readonly identity: Identity }
  /** A question got a fault. `final`: asking again would not help. */
  | { readonly on: 'refused'; readonly ticket: number; readonly code: string; readonly final: boolean }
  /** The gateway's own connection came up (hello answered) or went; `fraction` in [0, 1) spreads what follows from it. */
  | { readonly on: 'connected' }
  | { readonly on: 'disconnected'; readonly fraction: number }
  /** The first document was handed over; it may be reported as applied once `save` is done. */
  | { readonly on: 'configured' }
  /** A renewed certificate has proved itself. */
  | { readonly on: 'renewed'; readonly identity: Identity };

export type PairingOutput =
  | { readonly do: 'save'; readonly saved: Saved }
  | { readonly do: 'new-code' }
  | { readonly do: 'open-link' }
  | { readonly do: 'close-link' }
  /** `over` says which connection carries the question. */
  | { readonly do: 'ask'; readonly what: Question; readonly ticket: number; readonly over: 'link' | 'agent' }
  | { readonly do: 'start-agent'; readonly identity: Identity }
  | { readonly do: 'stop-agent' }
  /** Remove what the cloud has told this gateway: documents, messages to be sent. */
  | { readonly do: 'forget' };

/** Milliseconds between tries of a question that got no answer. */
export const ASK_AGAIN = 5_000;
/** Milliseconds between looks at the cloud's verdict while the first documents are being reported. */
export const LOOK_AGAIN = 250;
/** A paired gateway that has been without its connection for so long (ms) asks whether it still is paired, and so often. */
export const DOUBT_AFTER = 60_000;
export const DOUBT_AGAIN = 300_000;

export function newPairing(saved: Saved): PairingState {
  return {
    saved,
    announced: false,
    open: 0,
    lastTicket: 0,
    next: 'standing',
    askAt: NEVER,
    codeUntil: NEVER,
    deadline: NEVER,
    applying: false,
    connected: false,
  };
}

export const pairing: Machine<PairingState, PairingInput, PairingOutput> = {
  name: 'pairing',
  step,
  due: (state) => Math.min(state.askAt, state.codeUntil, state.deadline),
};

function step(state: PairingState, input: PairingInput | Tick, now: number, out: PairingOutput[]): void {
  switch (input.on) {
    case 'start':
      return start(state, input.wall, now, out);
    case 'claimed':
      return claimed(state, input, now, out);
    case 'connected':
      return connected(state, now, out);
    case 'disconnected':
      return disconnected(state, input.fraction, now);
    case 'configured':
      return configured(state, now, out);
    case 'renewed':
      if (state.saved.at === 'paired') save(state, { at: 'paired', identity: input.identity }, out);
      return;
    case 'tick':
      return tick(state, now, out);
    default:
      if (input.ticket !== state.open || state.open === 0) return;
      state.open = 0;
      return answered(state, input, now, out);
  }
}

function start(state: PairingState, wall: number, now: number, out: PairingOutput[]): void {
  const { saved } = state;
  if (saved.at === 'unpaired') return unpaired(state, 'standing', now, out);
  if (saved.at === 'paired') {
    out.push({ do: 'start-agent', identity: saved.identity });
    return ask(state, 'standing', now + DOUBT_AFTER);
  }
  // However the wall clock moved while we were off, a pairing never gets more than its 60 s anew.
  state.deadline = now + Math.max(0, Math.min(FAIL_SAFE, saved.since + FAIL_SAFE - wall));
  if (saved.at === 'claimed') {
    openLink(state, out);
    return ask(state, 'standing', now);
  }
  out.push({ do: 'start-agent', identity: saved.identity });
  if (saved.at === 'configuring') ask(state, 'standing', now + LOOK_AGAIN);
}

/** Back at the beginning: a fresh code, to be announced (after a start the cloud is asked first whether a claim came meanwhile). */
function unpaired(state: PairingState, first: Question, now: number, out: PairingOutput[]): void {
  state.deadline = NEVER;
  state.announced = false;
  openLink(state, out);
  out.push({ do: 'new-code' });
  state.codeUntil = now + CODE_LIFETIME;
  ask(state, first, now);
}

function undo(state: PairingState, cause: string, now: number, out: PairingOutput[]): void {
  const held = state.saved.at !== 'unpaired' && state.saved.at !== 'claimed';
  save(state, { at: 'unpaired', cause }, out);
  if (held) out.push({ do: 'stop-agent' }, { do: 'forget' });
  state.connected = false;
  unpaired(state, 'announce', now, out);
}

function save(state: PairingState, saved: Saved, out: PairingOutput[]): void {
  state.saved = saved;
  out.push({ do: 'save', saved });
}

function openLink(state: PairingState, out: PairingOutput[]): void {
  if (!state.applying) out.push({ do: 'open-link' });
  state.applying = true;
}

function closeLink(state: PairingState, out: PairingOutput[]): void {
  if (state.applying) out.push({ do: 'close-link' });
  state.applying = false;
}

/** Makes `what` the next question; an open one is no longer waited for. */
function ask(state: PairingState, what: Question, at: number): void {
  state.next = what;
  state.askAt = at;
  state.open = 0;
}

function claimed(
  state: PairingState,
  input: Extract<PairingInput, { on: 'claimed' }>,
  now: number,
  out: PairingOutput[],
): void {
  const { at } = state.saved;
  if (!input.claimed) {
    if (at !== 'unpaired' && at !== 'paired') undo(state, input.cause ?? 'pairing_timeout', now, out);
    return;
  }
  if (at !== 'unpaired') return;
  save(state, { at: 'claimed', since: input.wall }, out);
  state.announced = false;
  state.codeUntil = NEVER;
  state.deadline = now + FAIL_SAFE;
  ask(state, 'certificate', now);
  put(state, now, out);
}

function connected(state: PairingState, now: number, out: PairingOutput[]): void {
  state.connected = true;
  closeLink(state, out);
  if (state.saved.at === 'paired') ask(state, 'standing', NEVER);
  if (state.saved.at === 'configuring') ask(state, 'standing', now + LOOK_AGAIN);
}

function disconnected(state: PairingState, fraction: number, now: number): void {
  if (!state.connected) return;
  state.connected = false;
  // The whole fleet loses its connections at once when the cloud restarts: it must not doubt all at once.
  if (state.saved.at === 'paired') ask(state, 'standing', now + DOUBT_AFTER * (1 + fraction));
  if (state.saved.at === 'configuring') ask(state, 'standing', now + ASK_AGAIN / 5);
}

function configured(state: PairingState, now: number, out: PairingOutput[]): void {
  const { saved } = state;
  if (saved.at !== 'reconnecting') return;
  save(state, { ...saved, at: 'configuring' }, out);
  ask(state, 'standing', now + LOOK_AGAIN);
}

type Answer = Extract<PairingInput, { ticket: number }>;

function answered(state: PairingState, input: Answer, now: number, out: PairingOutput[]): void {
  switch (input.on) {
    case 'announced':
      state.announced = true;
      return;
    case 'standing':
      return stands(state, input, now, out);
    case 'certified':
      return certified(state, input.identity, now, out);
    case 'refused':
      return refused(state, input, now, out);
  }
}

function stands(
  state: PairingState,
  input: Extract<PairingInput, { on: 'standing' }>,
  now: number,
  out: PairingOutput[],
): void {
  const underWay = input.state === 'waiting' || input.state === 'pairing';
  const gone = input.state === 'unknown' || input.state === 'failed';
  switch (state.saved.at) {
    case 'unpaired':
      if (underWay) return claimed(state, { on: 'claimed', claimed: true, wall: input.wall }, now, out);
      return ask(state, 'announce', now);
    case 'claimed':
      if (gone) return undo(state, input.cause ?? 'pairing_timeout', now, out);
      return ask(state, 'certificate', now);
    case 'reconnecting':
      return;
    case 'configuring':
      if (gone) return undo(state, input.cause ?? 'pairing_timeout', now, out);
      if (underWay) return ask(state, 'standing', now + (state.deadline === NEVER ? ASK_AGAIN : LOOK_AGAIN));
      return paired(state, state.saved.identity, now, out);
    case 'paired':
      if (gone) return undo(state, input.cause ?? 'removed', now, out);
      return ask(state, input.state === 'paired' ? 'certificate' : 'standing', input.state === 'paired' ? now : now + DOUBT_AGAIN);
  }
}

function paired(state: PairingState, identity: Identity, now: number, out: PairingOutput[]): void {
  save(state, { at: 'paired', identity }, out);
  state.deadline = NEVER;
  closeLink(state, out);
  ask(state, 'standing', state.connected ? NEVER : now + DOUBT_AFTER);
}

function certified(state: PairingState, identity: Identity, now: number, out: PairingOutput[]): void {
  const { saved } = state;
  if (saved.at === 'claimed') {
    // What an earlier pairing may have left behind would pass for this home's.
    out.push({ do: 'forget' });
    save(state, { at: 'reconnecting', since: saved.since, identity }, out);
  } else if (saved.at === 'paired') {
    save(state, { at: 'paired', identity }, out);
    out.push({ do: 'stop-agent' });
    state.connected = false;
    ask(state, 'standing', now + DOUBT_AGAIN);
  } else return;
  closeLink(state, out);
  out.push({ do: 'start-agent', identity });
}

function refused(
  state: PairingState,
  input: Extract<PairingInput, { on: 'refused' }>,
  now: number,
  out: PairingOutput[],
): void {
  if (state.saved.at === 'claimed' && state.next === 'certificate' && input.final) {
    return undo(state, input.code, now, out);
  }
  if (state.saved.at === 'unpaired' && state.next === 'announce' && input.code === 'conflict') {
    return unpaired(state, 'announce', now, out);
  }
  if (state.saved.at === 'paired') return ask(state, 'standing', now + DOUBT_AGAIN);
  ask(state, state.next, now + ASK_AGAIN);
}

function tick(state: PairingState, now: number, out: PairingOutput[]): void {
  if (state.deadline <= now) expire(state, now, out);
  if (state.codeUntil <= now) unpaired(state, 'announce', now, out);
  put(state, now, out);
}

function expire(state: PairingState, now: number, out: PairingOutput[]): void {
  switch (state.saved.at) {
    case 'claimed':
      return undo(state, 'pairing_timeout', now, out);
    case 'reconnecting':
      return undo(state, 'pairing_not_connected', now, out);
    default:
      state.deadline = NEVER;
      ask(state, 'standing', now);
  }
}

/** Puts the question that is due, over the gateway's own connection while that is up. */
function put(state: PairingState, now: number, out: PairingOutput[]): void {
  if (state.askAt > now) return;
  state.askAt = NEVER;
  const over = state.connected && state.next === 'standing' ? 'agent' : 'link';
  if (over === 'link') openLink(state, out);
  state.open = ++state.lastTicket;
  out.push({ do: 'ask', what: state.next, ticket: state.open, over });
}
