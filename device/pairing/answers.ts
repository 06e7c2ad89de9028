/** What follows from the cloud's answers. */
import { NEVER } from '#shared/kernel/machine.ts';
import { ask, claimed, closeLink, dropClaim, save, undo, unpaired } from './moves.ts';
import {
  type Answer,
  ASK_AGAIN,
  DOUBT_AFTER,
  DOUBT_AGAIN,
  type Identity,
  LOOK_AGAIN,
  type PairingInput,
  type PairingOutput,
  type PairingState,
} from './states.ts';

export function answered(state: PairingState, input: Answer, now: number, out: PairingOutput[]): void {
  switch (input.on) {
    case 'announced':
      state.announced = true;
      return;
    case 'claim-taken':
      claimed(state, { on: 'claimed', claimed: true, wall: input.wall }, now, out);
      return;
    case 'standing':
      stands(state, input, now, out);
      return;
    case 'certified':
      certified(state, input.identity, now, out);
      return;
    case 'refused':
      refused(state, input, now, out);
      return;
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
      // "Paired": the disk has lost the identity, and the permanent key gets a new one without any person's help.
      if (underWay || input.state === 'paired') {
        claimed(state, { on: 'claimed', claimed: true, wall: input.wall }, now, out);
        return;
      }
      ask(state, state.claim ? 'claim' : 'announce', now);
      return;
    case 'claimed':
      if (gone) {
        undo(state, input.cause ?? 'pairing_timeout', now, out);
        return;
      }
      ask(state, 'certificate', now);
      return;
    case 'reconnecting':
      return;
    case 'configuring':
      if (gone) {
        undo(state, input.cause ?? 'pairing_timeout', now, out);
        return;
      }
      if (underWay) {
        ask(state, 'standing', now + (state.deadline === NEVER ? ASK_AGAIN : LOOK_AGAIN));
        return;
      }
      paired(state, state.saved.identity, now, out);
      return;
    case 'paired':
      if (gone) {
        undo(state, input.cause ?? 'removed', now, out);
        return;
      }
      if (underWay) ask(state, 'standing', now + DOUBT_AGAIN);
      else ask(state, 'certificate', now);
      return;
  }
}

function paired(state: PairingState, identity: Identity, now: number, out: PairingOutput[]): void {
  save(state, { at: 'paired', identity }, out);
  dropClaim(state, out);
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
    undo(state, input.code, now, out);
    return;
  }
  if (state.saved.at === 'unpaired' && state.next === 'announce' && input.code === 'conflict') {
    unpaired(state, 'announce', now, out);
    return;
  }
  if (state.saved.at === 'paired') {
    ask(state, 'standing', now + DOUBT_AGAIN);
    return;
  }
  if (state.next === 'claim' && input.code !== 'timeout') {
    // The person in front of the gateway has a code at once; a claim that may be good later has its next turn with the next code.
    if (input.final) {
      save(state, { at: 'unpaired', cause: input.code }, out);
      dropClaim(state, out);
    }
    ask(state, 'announce', now);
    return;
  }
  ask(state, state.next, now + ASK_AGAIN);
}
