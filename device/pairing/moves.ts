/** The moves that several steps of pairing make. */
import { NEVER } from '#shared/kernel/machine.ts';
import { CODE_LIFETIME, FAIL_SAFE } from '#shared/protocol/pairing.ts';
import type { PairingInput, PairingOutput, PairingState, Question, Saved } from './states.ts';

/** Back at the beginning: a fresh code, to be announced (after a start the cloud is asked first whether a claim came meanwhile). */
export function unpaired(state: PairingState, first: Question, now: number, out: PairingOutput[]): void {
  state.deadline = NEVER;
  state.announced = false;
  openLink(state, out);
  out.push({ do: 'new-code' });
  state.codeUntil = now + CODE_LIFETIME;
  ask(state, first, now);
}

export function undo(state: PairingState, cause: string, now: number, out: PairingOutput[]): void {
  const held = state.saved.at !== 'unpaired' && state.saved.at !== 'claimed';
  save(state, { at: 'unpaired', cause }, out);
  if (held) out.push({ do: 'stop-agent' }, { do: 'forget' });
  state.connected = false;
  unpaired(state, 'announce', now, out);
}

export function save(state: PairingState, saved: Saved, out: PairingOutput[]): void {
  state.saved = saved;
  out.push({ do: 'save', saved });
}

export function openLink(state: PairingState, out: PairingOutput[]): void {
  if (!state.applying) out.push({ do: 'open-link' });
  state.applying = true;
}

export function closeLink(state: PairingState, out: PairingOutput[]): void {
  if (state.applying) out.push({ do: 'close-link' });
  state.applying = false;
}

export function dropClaim(state: PairingState, out: PairingOutput[]): void {
  if (state.claim) out.push({ do: 'drop-claim' });
  state.claim = false;
}

/** Makes `what` the next question; an open one is no longer waited for. */
export function ask(state: PairingState, what: Question, at: number): void {
  state.next = what;
  state.askAt = at;
  state.open = 0;
}

export function claimed(
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

/** Puts the question that is due, over the gateway's own connection while that is up. */
export function put(state: PairingState, now: number, out: PairingOutput[]): void {
  if (state.askAt > now) return;
  state.askAt = NEVER;
  const over = state.connected && state.next === 'standing' ? 'agent' : 'link';
  if (over === 'link') openLink(state, out);
  state.open = ++state.lastTicket;
  out.push({ do: 'ask', what: state.next, ticket: state.open, over });
}
