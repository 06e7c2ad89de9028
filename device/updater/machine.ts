/**
 * The updater as a pure machine: idle -> checking -> downloading -> verifying -> installing -> rebooting -> proving -> good or back. Every
 * change of state is on the disk before it has an effect, so that the power may fail at any moment: `booted` tells the machine where
 * it woke up, and it goes on from there. A slot is marked good only by a session with the cloud, or by the gateway's own test where the
 * cloud's address is out of reach; falling back to the other slot needs nobody's leave.
 */
import { type Machine, NEVER } from '#shared/kernel/machine.ts';
import { compareVersions } from '#shared/protocol/version.ts';
import type { BoardFacts, BundleFacts, Refusal } from './board.ts';
import { back, badBundle, failed, good, HOUR, MINUTE, owned, roomFor } from './outcomes.ts';
import type { Input, Output, Step, UpdaterState } from './states.ts';

/** Milliseconds that a step may take, and those between two looks at the gateway's health. */
export const PATIENCE = {
  checking: 5 * MINUTE,
  downloading: 24 * HOUR,
  verifying: 10 * MINUTE,
  installing: 30 * MINUTE,
  /** Calls may go on for a while before the board starts anew. */
  rebooting: 15 * MINUTE,
  /** For a session with the cloud; then the gateway tests itself. */
  session: 5 * MINUTE,
  /** Until the proof is given up. */
  proving: 8 * MINUTE,
  testAgain: MINUTE,
  /** Before a home's first pairing no session can be expected. */
  unpaired: 10_000,
} as const;
/** Waits between tries of a download: 5 s, doubled each time, at most 10 minutes. */
const backOff = (tries: number): number => Math.min(5_000 * 2 ** Math.min(tries, 10), 10 * MINUTE);
/** Reboots that are asked for, and starts of the agent within one proof. */
const REBOOTS = 3;
export const STARTS = 10;

export const updater: Machine<UpdaterState, Input, Output> = {
  name: 'updater',
  step(state, input, now, out) {
    if (input.on === 'tick') return late(state, now, out);
    if (input.on === 'booted') return booted(state, input, now, out);
    if (input.on === 'start') {
      if (state.step.at === 'idle')
        enter(state, { at: 'checking', job: input.job, until: now + PATIENCE.checking }, out);
      return;
    }
    if (input.on === 'stop') return stop(state, input.job, out);
    switch (state.step.at) {
      case 'idle':
        return;
      case 'checking':
        if (input.on === 'checked') return checked(state, state.step, input, now, out);
        break;
      case 'downloading':
        if (input.on === 'fetched') return verify(state, state.step, now, out);
        if (input.on === 'fetch-failed') return missed(state, state.step, input, now, out);
        break;
      case 'verifying':
        if (input.on === 'inspected') return inspected(state, state.step, input.bundle, now, out);
        if (input.on === 'refused') return unfit(state, state.step, input.why, now, out);
        break;
      case 'installing':
        if (input.on === 'installed')
          return enter(
            state,
            {
              at: 'rebooting',
              job: state.step.job,
              version: state.step.bundle.version,
              before: input.before,
              asked: 1,
              until: now + PATIENCE.rebooting,
            },
            out,
          );
        break;
      case 'rebooting':
        // The order to start anew did not get through: it is given again in a while.
        if (input.on === 'refused') return;
        break;
      case 'proving':
        return proof(state, state.step, input, now, out);
    }
    if (input.on === 'refused') failed(state, out, input.why);
  },
  due({ step }) {
    if (step.at === 'idle') return NEVER;
    return step.at === 'downloading' || step.at === 'proving' ? Math.min(step.next, step.until) : step.until;
  },
};

/** Takes a step: kept first, then begun. */
function enter(state: UpdaterState, step: Step, out: Output[]) {
  state.step = step;
  out.push({ do: 'save' });
  begin(step, out);
}

/** What a step does when it is entered, or entered again after a restart. */
function begin(step: Step, out: Output[]) {
  switch (step.at) {
    case 'idle':
      return;
    case 'checking':
      out.push({ do: 'check', job: step.job });
      return;
    case 'downloading':
      out.push({ do: 'tell', report: owned(step, 'downloading') }, { do: 'fetch', job: step.job });
      return;
    case 'verifying':
      out.push({ do: 'inspect', job: step.job });
      return;
    case 'installing':
      out.push({ do: 'tell', report: owned(step, 'installing') });
      out.push({ do: 'install', job: step.job, bundle: step.bundle });
      return;
    case 'rebooting':
      out.push({ do: 'tell', report: owned(step, 'rebooting') }, { do: 'reboot' });
      return;
    case 'proving':
      if (step.job !== undefined) out.push({ do: 'tell', report: owned({ ...step, job: step.job }, 'proving') });
  }
}

type At<A extends Step['at']> = Extract<Step, { readonly at: A }>;

/** The agent has started: where the board stands decides how the update went on without it. */
function booted(
  state: UpdaterState,
  { facts, paired, wreck }: Extract<Input, { on: 'booted' }>,
  now: number,
  out: Output[],
) {
  const { step } = state;
  if (facts === undefined) {
    // A board that does not answer now may do so later; what was begun is begun again then.
    if (step.at !== 'idle') failed(state, out, { code: 'update_install_failed', detail: 'the board does not answer' });
    return;
  }
  if (facts.good && state.floor === undefined) state.floor = facts.version;
  const { floor } = facts;
  if (floor !== undefined && (state.floor === undefined || compareVersions(floor, state.floor) > 0))
    state.floor = floor;
  switch (step.at) {
    case 'rebooting':
      if (facts.slot !== step.before.slot) {
        const { job, version, before } = step;
        return prove(state, { job, version, before, starts: 1 }, paired, now, out);
      }
      if (facts.boot !== step.before.boot) {
        back(state, step, 'update_not_started', wreck, out);
        return proveAlone(state, facts, paired, now, out);
      }
      return enter(state, { ...step, until: now + PATIENCE.rebooting }, out);
    case 'proving':
      if (step.before !== undefined && step.job !== undefined && facts.slot === step.before.slot) {
        back(state, { ...step, before: step.before, job: step.job }, 'update_not_proved', wreck, out);
        return proveAlone(state, facts, paired, now, out);
      }
      if (step.starts >= STARTS && step.before !== undefined) return giveUp(state, step, now, out);
      return prove(state, { ...step, starts: step.starts + 1 }, paired, now, out);
    case 'idle':
      return proveAlone(state, facts, paired, now, out);
    case 'downloading':
      return enter(state, { ...step, tries: 0, next: NEVER, until: now + PATIENCE.downloading }, out);
    default:
      enter(state, { ...step, until: now + PATIENCE[step.at] }, out);
  }
}

/** What runs has to prove itself at every start, that to which it went back too: each start takes one of its tries. */
function proveAlone(state: UpdaterState, { good, version }: BoardFacts, paired: boolean, now: number, out: Output[]) {
  if (!good) prove(state, { version, starts: 1 }, paired, now, out);
}

function prove(
  state: UpdaterState,
  what: Pick<At<'proving'>, 'job' | 'version' | 'before' | 'starts'>,
  paired: boolean,
  now: number,
  out: Output[],
) {
  const { job, version, before, starts } = what;
  enter(
    state,
    {
      at: 'proving',
      version,
      starts,
      next: now + (paired ? PATIENCE.session : PATIENCE.unpaired),
      // Without a system to go back to, the proof goes on for as long as it takes.
      until: before === undefined ? NEVER : now + PATIENCE.proving,
      ...(job === undefined ? {} : { job }),
      ...(before === undefined ? {} : { before }),
    },
    out,
  );
}

function checked(
  state: UpdaterState,
  { job: asked }: At<'checking'>,
  { facts, free, here }: Extract<Input, { on: 'checked' }>,
  now: number,
  out: Output[],
) {
  const wrong = unfitJob(state, facts, asked) ?? roomFor(asked.size, free, here);
  if (facts === undefined || wrong !== undefined) return failed(state, out, wrong ?? { code: 'update_not_possible' });
  // Whoever names no board means this one.
  const job = { ...asked, board: facts.board };
  if (facts.version === job.version) return good(state, out, { job, version: facts.version });
  const from = facts.version;
  enter(
    state,
    { at: 'downloading', job, from, tries: 0, next: NEVER, again: false, until: now + PATIENCE.downloading },
    out,
  );
}

/** Why a job cannot be for this board, as far as it says so itself. */
function unfitJob(
  { floor }: UpdaterState,
  facts: BoardFacts | undefined,
  { version, board }: { readonly version?: string; readonly board?: string },
): Refusal | undefined {
  if (facts === undefined) return { code: 'update_not_possible' };
  if (board !== undefined && board !== facts.board)
    return { code: 'update_wrong_board', detail: `It is for ${board}; this is ${facts.board}.` };
  if (version !== undefined && floor !== undefined && compareVersions(version, floor) < 0)
    return { code: 'update_too_old', detail: `It is ${version}; ${floor} has run here already.` };
  return undefined;
}

function verify(state: UpdaterState, { job, from, again }: At<'downloading'>, now: number, out: Output[]) {
  enter(state, { at: 'verifying', job, from, again, until: now + PATIENCE.verifying }, out);
}

/** A try that failed: for good, or another one in a while. */
function missed(
  state: UpdaterState,
  step: At<'downloading'>,
  { why, code }: Extract<Input, { on: 'fetch-failed' }>,
  now: number,
  out: Output[],
) {
  if (code !== undefined) return failed(state, out, { code, detail: why });
  state.step = { ...step, tries: step.tries + 1, next: now + backOff(step.tries) };
}

function inspected(state: UpdaterState, step: At<'verifying'>, bundle: BundleFacts, now: number, out: Output[]) {
  const { job, from } = step;
  const wrong = badBundle(job, bundle, state.floor);
  if (wrong?.code === 'update_damaged') return unfit(state, step, wrong, now, out);
  if (wrong !== undefined) return failed(state, out, wrong);
  enter(state, { at: 'installing', job, from, bundle, until: now + PATIENCE.installing }, out);
}

/** A damaged file is fetched anew, once; a file that somebody put here is not. */
function unfit(state: UpdaterState, step: At<'verifying'>, why: Refusal, now: number, out: Output[]) {
  const { job, from, again } = step;
  if (why.code !== 'update_damaged' || again || job.source.kind === 'file') return failed(state, out, why);
  out.push({ do: 'clean', job });
  enter(
    state,
    { at: 'downloading', job, from, tries: 0, next: NEVER, again: true, until: now + PATIENCE.downloading },
    out,
  );
}

function proof(state: UpdaterState, step: At<'proving'>, input: Input, now: number, out: Output[]) {
  switch (input.on) {
    case 'session':
      out.push({ do: 'mark-good' });
      return;
    case 'tested': {
      const { ok, wan, paired } = input.health;
      // The cloud's address answers and yet there is no session: that is the new system's fault, so it is not enough.
      if (ok && !(wan && paired)) out.push({ do: 'mark-good' });
      state.step = { ...step, next: now + PATIENCE.testAgain };
      return;
    }
    case 'marked':
      return good(state, out, step);
    default:
      // Marking failed: the next test or session tries again, until the proof is over.
      return;
  }
}

/** Asked for again as long as the board still runs this system. */
function giveUp(state: UpdaterState, step: At<'proving'>, now: number, out: Output[]) {
  state.step = { ...step, next: NEVER, until: now + PATIENCE.testAgain };
  out.push({ do: 'save' }, { do: 'give-up' });
}

function stop(state: UpdaterState, job: string, out: Output[]) {
  const { step } = state;
  if (step.at === 'idle' || step.job?.id !== job) return;
  if (step.at !== 'checking' && step.at !== 'downloading' && step.at !== 'verifying') return;
  failed(state, out, { code: 'update_stopped' });
}

function late(state: UpdaterState, now: number, out: Output[]) {
  const { step } = state;
  if (step.at === 'downloading' && now < step.until) {
    if (now < step.next) return;
    state.step = { ...step, next: NEVER };
    out.push({ do: 'fetch', job: step.job });
    return;
  }
  if (step.at === 'proving') return lateProof(state, step, now, out);
  if (step.at === 'idle' || now < step.until) return;
  if (step.at === 'rebooting') {
    if (step.asked >= REBOOTS)
      return failed(state, out, { code: 'update_install_failed', detail: 'the board does not start anew' });
    return enter(state, { ...step, asked: step.asked + 1, until: now + PATIENCE.rebooting }, out);
  }
  const code = step.at === 'downloading' ? 'update_download_failed' : 'update_install_failed';
  failed(state, out, { code, detail: `${step.at} took too long` });
}

function lateProof(state: UpdaterState, step: At<'proving'>, now: number, out: Output[]) {
  if (now >= step.until) return giveUp(state, step, now, out);
  if (now < step.next) return;
  state.step = { ...step, next: NEVER };
  out.push({ do: 'test' });
}
