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
 * A claim from the boot partition is shown to the cloud before the code is announced; taken, it stands for a person who typed the
 * code. Refused for good, it is dropped, its cause kept and the code announced; after an undone pairing it has its next turn when
 * the code changes, so that a claim that leads nowhere does not go round in circles.
 *
 * `saved` is what the disk holds; outputs are to be performed in order, `save` completed before what follows it.
 */
import { type Machine, NEVER, type Tick } from '#shared/kernel/machine.ts';
import { FAIL_SAFE } from '#shared/protocol/pairing.ts';
import { answered } from './answers.ts';
import { ask, claimed, closeLink, dropClaim, openLink, put, save, undo, unpaired } from './moves.ts';
import {
  type Answer,
  ASK_AGAIN,
  DOUBT_AFTER,
  LOOK_AGAIN,
  type PairingInput,
  type PairingOutput,
  type PairingState,
} from './states.ts';

export const pairing: Machine<PairingState, PairingInput, PairingOutput> = {
  name: 'pairing',
  step,
  due: (state) => Math.min(state.askAt, state.codeUntil, state.deadline),
};

function step(state: PairingState, input: PairingInput | Tick, now: number, out: PairingOutput[]): void {
  switch (input.on) {
    case 'start':
      start(state, input.wall, now, out);
      return;
    case 'claimed':
      claimed(state, input, now, out);
      return;
    case 'connected':
      connected(state, now, out);
      return;
    case 'disconnected':
      disconnected(state, input.fraction, now);
      return;
    case 'released':
      released(state, now);
      return;
    case 'configured':
      configured(state, now, out);
      return;
    case 'renewed':
      if (state.saved.at === 'paired') save(state, { at: 'paired', identity: input.identity }, out);
      return;
    case 'tick':
      tick(state, now, out);
      return;
    default:
      if (!fits(state, input)) return;
      state.open = 0;
      answered(state, input, now, out);
      return;
  }
}

/** An answer counts only for the question that is open. */
function fits({ open, next }: PairingState, { on, ticket }: Answer): boolean {
  const question = {
    announced: 'announce',
    'claim-taken': 'claim',
    standing: 'standing',
    certified: 'certificate',
    refused: next,
  }[on];
  return open !== 0 && ticket === open && question === next;
}

function start(state: PairingState, wall: number, now: number, out: PairingOutput[]): void {
  const { saved } = state;
  if (saved.at === 'unpaired') {
    unpaired(state, 'standing', now, out);
    return;
  }
  if (saved.at === 'paired') {
    dropClaim(state, out);
    out.push({ do: 'start-agent', identity: saved.identity });
    ask(state, 'standing', now + DOUBT_AFTER);
    return;
  }
  // However the wall clock moved while we were off, a pairing never gets more than its 60 s anew.
  state.deadline = now + Math.max(0, Math.min(FAIL_SAFE, saved.since + FAIL_SAFE - wall));
  if (saved.at === 'claimed') {
    openLink(state, out);
    ask(state, 'standing', now);
    return;
  }
  out.push({ do: 'start-agent', identity: saved.identity });
  if (saved.at === 'configuring') ask(state, 'standing', now + LOOK_AGAIN);
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

/** Believed only as a reason to ask: over the link, where the permanent key speaks. */
function released(state: PairingState, now: number): void {
  const { at } = state.saved;
  if (at !== 'paired' && at !== 'configuring') return;
  state.connected = false;
  ask(state, 'standing', now);
}

function configured(state: PairingState, now: number, out: PairingOutput[]): void {
  const { saved } = state;
  if (saved.at !== 'reconnecting') return;
  save(state, { ...saved, at: 'configuring' }, out);
  ask(state, 'standing', now + LOOK_AGAIN);
}

function tick(state: PairingState, now: number, out: PairingOutput[]): void {
  if (state.deadline <= now) expire(state, now, out);
  if (state.codeUntil <= now) unpaired(state, state.claim ? 'claim' : 'announce', now, out);
  put(state, now, out);
}

function expire(state: PairingState, now: number, out: PairingOutput[]): void {
  switch (state.saved.at) {
    case 'claimed':
      undo(state, 'pairing_timeout', now, out);
      return;
    case 'reconnecting':
      undo(state, 'pairing_not_connected', now, out);
      return;
    default:
      state.deadline = NEVER;
      ask(state, 'standing', now);
  }
}
