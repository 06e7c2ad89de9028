/**
 * A mobile modem that calls for help, as a pure machine: it is set up, watched, and told to dial, by AT commands (3GPP TS 27.007, ITU-T
 * V.250). One command is out at a time. It dials whatever its registration: a call for help needs no subscription, and a network that
 * refuses everything else may still take it (3GPP TS 22.101 section 10.1).
 */
import { type Machine, NEVER } from '#shared/kernel/machine.ts';
import { type CallEnd, type ModemLine, type Registration, readModemLine } from './at-line.ts';

/** Milliseconds for the answer to a command; to the dial command, which some modems answer only once the call is. */
export const ANSWER = 5_000;
export const DIAL_ANSWER = 60_000;
/** Milliseconds between looks at the call while there is one, and at the network while there is none. */
export const LOOK_AT_CALL = 1_000;
export const LOOK_AT_NETWORK = 30_000;
/** Milliseconds until a modem that said nothing is set up anew. */
export const AGAIN = 10_000;
/** Commands without an answer after which a modem counts as silent. */
const SILENCE = 2;

/** How a family of modems is told to carry a call's sound over a serial port. */
interface Sound {
  readonly on: string;
  readonly off: string;
}
type Maker = 'simcom' | 'quectel';
const SOUND: Readonly<Record<Maker, Sound>> = {
  simcom: { on: 'AT+CPCMREG=1', off: 'AT+CPCMREG=0' },
  quectel: { on: 'AT+QPCMV=1,0', off: 'AT+QPCMV=0' },
};

const SET_UP = ['ATZ', 'ATE0', 'AT+CMEE=1', 'AT+CVHU=0', 'AT+CREG=1', 'AT+CGMI', 'AT+CPIN?', 'AT+CREG?', 'AT+CSQ'];
const WATCH = ['AT+CREG?', 'AT+CSQ'];

export interface ModemCall {
  readonly number: string;
  at: 'dialling' | 'alerting' | 'up' | 'ending';
  /** It stood in the modem's list of calls. */
  listed: boolean;
  /** It stands in the list that comes just now. */
  seen: boolean;
  lookAt: number;
}

export interface ModemState {
  /** `closed`: the line is not open. `starting`: set-up is under way. `silent`: it does not answer. */
  at: 'closed' | 'starting' | 'ready' | 'silent';
  registration: Registration;
  sim: string;
  /** dBm. */
  signal: number | undefined;
  maker: Maker;
  call: ModemCall | undefined;
  /** Commands that wait for their turn. */
  queue: string[];
  sent: { readonly command: string; readonly by: number } | undefined;
  unanswered: number;
  /** When it is looked at again, or set up anew. */
  nextAt: number;
}

export type ModemInput =
  | { readonly on: 'opened' }
  | { readonly on: 'closed' }
  /** A line that came. */
  | { readonly on: 'line'; readonly text: string }
  /** Digits to call. Where a call is there already it is over at once. */
  | { readonly on: 'dial'; readonly number: string }
  | { readonly on: 'hangup' };

export type ModemOutput =
  | { readonly do: 'write'; readonly text: string }
  | { readonly do: 'alerting' }
  | { readonly do: 'answered' }
  /** The call is over; once for each. */
  | { readonly do: 'over'; readonly why: CallEnd }
  /** Something that a technician sees is different. */
  | { readonly do: 'changed' };

export const newModem = (): ModemState => ({
  at: 'closed',
  registration: 'unknown',
  sim: 'unknown',
  signal: undefined,
  maker: 'simcom',
  call: undefined,
  queue: [],
  sent: undefined,
  unanswered: 0,
  nextAt: NEVER,
});

/** Whether it can be asked to call now. */
export const canCall = ({ at, call }: ModemState): boolean => at === 'ready' && call === undefined;

export const modemMachine: Machine<ModemState, ModemInput, ModemOutput> = {
  name: 'device.emergency-modem',
  step(before, input, now, out) {
    const { call } = before;
    const state = { ...before, queue: [...before.queue], call: call === undefined ? undefined : { ...call } };
    if (input.on === 'opened') setUp(state, now, out);
    else if (input.on === 'closed') closed(state, out);
    else if (input.on === 'line') heard(state, input.text, now, out);
    else if (input.on === 'dial') dial(state, input.number, now, out);
    else if (input.on === 'hangup') hangup(state, now, out);
    else tick(state, now, out);
    Object.assign(before, state);
  },
  due: ({ sent, call, nextAt }) => Math.min(sent?.by ?? NEVER, call?.lookAt ?? NEVER, nextAt),
};

function setUp(state: ModemState, now: number, out: ModemOutput[]): void {
  end(state, 'lost', out);
  // One that was silent is so until it has answered.
  if (state.at !== 'silent') state.at = 'starting';
  state.sent = undefined;
  state.unanswered = 0;
  state.nextAt = NEVER;
  state.queue.splice(0, state.queue.length, ...SET_UP);
  out.push({ do: 'changed' });
  next(state, now, out);
}

function closed(state: ModemState, out: ModemOutput[]): void {
  const { at } = state;
  end(state, 'lost', out);
  state.at = 'closed';
  state.registration = 'unknown';
  state.signal = undefined;
  state.sent = undefined;
  state.nextAt = NEVER;
  state.queue.length = 0;
  if (at !== 'closed') out.push({ do: 'changed' });
}

/** Sends the next command once the one before is answered. */
function next(state: ModemState, now: number, out: ModemOutput[]): void {
  if (state.sent !== undefined) return;
  const command = state.queue.shift();
  if (command === undefined) {
    if (state.at === 'starting') {
      state.at = 'ready';
      out.push({ do: 'changed' });
    }
    if (state.nextAt === NEVER) state.nextAt = now + LOOK_AT_NETWORK;
    return;
  }
  state.sent = { command, by: now + (command.startsWith('ATD') ? DIAL_ANSWER : ANSWER) };
  if (command === 'AT+CLCC' && state.call !== undefined) state.call.seen = false;
  out.push({ do: 'write', text: `${command}\r` });
}

function dial(state: ModemState, number: string, now: number, out: ModemOutput[]): void {
  if (!canCall(state)) {
    out.push({ do: 'over', why: state.call === undefined ? 'lost' : 'busy' });
    return;
  }
  state.call = { number, at: 'dialling', listed: false, seen: false, lookAt: NEVER };
  // Nothing stands before a call for help.
  state.queue.length = 0;
  if (state.maker === 'quectel') state.queue.push(SOUND[state.maker].on);
  state.queue.push(`ATD${number};`);
  next(state, now, out);
}

function hangup(state: ModemState, now: number, out: ModemOutput[]): void {
  const { call } = state;
  if (call === undefined || call.at === 'ending') return;
  call.at = 'ending';
  call.lookAt = NEVER;
  // A dial command that is out yet is given up by any octet (V.250 section 5.6.1); its answer is then NO CARRIER.
  if (state.sent?.command.startsWith('ATD')) state.sent = undefined;
  state.queue.splice(0, state.queue.length, 'AT+CHUP', 'ATH', SOUND[state.maker].off);
  next(state, now, out);
}

function tick(state: ModemState, now: number, out: ModemOutput[]): void {
  if (state.sent !== undefined && now >= state.sent.by) unanswered(state, state.sent.command, now, out);
  const { call } = state;
  if (call !== undefined && now >= call.lookAt) {
    call.lookAt = NEVER;
    ask(state, ['AT+CLCC'], now, out);
  }
  if (now < state.nextAt) return;
  state.nextAt = NEVER;
  if (state.at === 'silent') setUp(state, now, out);
  else if (state.at === 'ready') ask(state, state.call === undefined ? WATCH : [], now, out);
}

function ask(state: ModemState, commands: readonly string[], now: number, out: ModemOutput[]): void {
  state.queue.push(...commands);
  next(state, now, out);
}

function unanswered(state: ModemState, command: string, now: number, out: ModemOutput[]): void {
  state.sent = undefined;
  state.unanswered++;
  if (command.startsWith('ATD')) end(state, 'no-answer', out);
  if (command === SOUND[state.maker].off && state.call?.at === 'ending') end(state, 'ended', out);
  if (command === 'AT+CLCC' && state.call?.lookAt === NEVER) state.call.lookAt = now + LOOK_AT_CALL;
  if (state.unanswered >= SILENCE) {
    end(state, 'lost', out);
    state.queue.length = 0;
    state.nextAt = now + AGAIN;
    if (state.at !== 'silent') out.push({ do: 'changed' });
    state.at = 'silent';
  } else next(state, now, out);
}

function heard(state: ModemState, text: string, now: number, out: ModemOutput[]): void {
  const line = readModemLine(text);
  // Its own echo, before ATE0 has come through, says nothing.
  if (line === undefined || text === state.sent?.command || state.at === 'closed') return;
  if (state.at !== 'silent' || line.says !== 'other') state.unanswered = 0;
  if (line.says === 'ok' || line.says === 'error') answered(state, line.says === 'ok', now, out);
  else if (line.says === 'over') over(state, line.why, now, out);
  else if (line.says === 'begun') talking(state, now, out);
  else if (line.says === 'call') listed(state, line, now, out);
  else if (line.says === 'started') setUp(state, now, out);
  else noted(state, line, out);
}

function noted(
  state: ModemState,
  line: Extract<ModemLine, { says: 'registration' | 'signal' | 'sim' | 'other' }>,
  out: ModemOutput[],
): void {
  const before = `${state.registration} ${state.sim} ${state.signal}`;
  if (line.says === 'registration') state.registration = line.is;
  else if (line.says === 'signal') state.signal = line.dbm;
  else if (line.says === 'sim') state.sim = line.is;
  else if (state.sent?.command === 'AT+CGMI') state.maker = /quectel/i.test(line.text) ? 'quectel' : 'simcom';
  if (before !== `${state.registration} ${state.sim} ${state.signal}`) out.push({ do: 'changed' });
}

/** The final result of the command that is out. */
function answered(state: ModemState, good: boolean, now: number, out: ModemOutput[]): void {
  const command = state.sent?.command;
  if (command === undefined) return;
  state.sent = undefined;
  if (state.at === 'silent') state.at = 'starting';
  const { call } = state;
  if (command.startsWith('ATD') && call !== undefined && !good) end(state, 'refused', out);
  else if (command.startsWith('ATD') && call?.at === 'dialling') call.lookAt = now + LOOK_AT_CALL;
  else if (command === 'AT+CLCC' && call !== undefined && call.at !== 'ending') looked(state, call, now, out);
  else if (command === 'AT+CPIN?' && !good) state.sim = 'absent';
  else if (command === SOUND[state.maker].off && call?.at === 'ending') end(state, 'ended', out);
  next(state, now, out);
}

/** The list of calls is complete: one that stood in it and does no longer is over. */
function looked(state: ModemState, call: ModemCall, now: number, out: ModemOutput[]): void {
  if (call.listed && !call.seen) over(state, 'ended', now, out);
  else call.lookAt = now + LOOK_AT_CALL;
}

function listed(state: ModemState, line: Extract<ModemLine, { says: 'call' }>, now: number, out: ModemOutput[]): void {
  const { call } = state;
  if (call === undefined || !line.outgoing || call.at === 'ending') return;
  if (line.gone) {
    over(state, 'ended', now, out);
    return;
  }
  call.listed = true;
  call.seen = true;
  if (line.stage === 'up') talking(state, now, out);
  else if (line.stage === 'alerting' && call.at === 'dialling') {
    call.at = 'alerting';
    out.push({ do: 'alerting' });
  }
}

function talking(state: ModemState, now: number, out: ModemOutput[]): void {
  const { call } = state;
  if (call === undefined || (call.at !== 'dialling' && call.at !== 'alerting')) return;
  call.at = 'up';
  call.lookAt = now + LOOK_AT_CALL;
  out.push({ do: 'answered' });
  ask(state, [SOUND[state.maker].on], now, out);
}

/** A result that ends the call; where it came in place of OK, the command is answered as well. */
function over(state: ModemState, why: CallEnd, now: number, out: ModemOutput[]): void {
  const dialling = state.sent?.command.startsWith('ATD') ?? false;
  if (dialling) state.sent = undefined;
  const { call } = state;
  const hadSound = call?.at === 'up';
  if (call !== undefined && call.at !== 'ending') {
    end(state, why, out);
    if (hadSound || state.maker === 'quectel') state.queue.push(SOUND[state.maker].off);
  }
  next(state, now, out);
}

function end(state: ModemState, why: CallEnd, out: ModemOutput[]): void {
  if (state.call === undefined) return;
  state.call = undefined;
  out.push({ do: 'over', why });
}
