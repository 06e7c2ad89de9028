/** The live commands on a call: judged, planned, journalled with their idempotency key, and carried out by the session machine. */
import type { Context, Handlers, Outcome } from '#cloud/bus/bus.ts';
import type { PartContext } from '#cloud/bus/part.ts';
import { remember, repeated } from '#cloud/store/idempotency.ts';
import { newId } from '#shared/kernel/ids.ts';
import { err, ok, type Result } from '#shared/kernel/result.ts';
import { type Fault, fault } from '#shared/protocol/fault.ts';

import { COMMANDS_PER_SESSION, type CommandPlan, commandView, findCommand } from './command-state.ts';
import type { Input } from './live.ts';
import { SELF } from './outbox.ts';
import { as } from './resolve.ts';
import type { Runtime } from './runtime.ts';
import type { Finder, Steerable } from './take-over.ts';
import { voices } from './take-over.ts';

type Verbs =
  | 'call.play'
  | 'call.gather'
  | 'call.record'
  | 'call.stop'
  | 'call.commands'
  | 'call.dtmf'
  | 'call.hold'
  | 'call.unhold'
  | 'call.mute'
  | 'call.unmute'
  | 'call.hangup'
  | 'sound.report';

const NOT_FOUND = err(fault('not_found', 'There is no such call, or not for this credential.'));
/** Usual times of a gather, seconds: to the first digit, and between two. */
const FIRST = 10;
const BETWEEN = 4;
/** Longest recording unless the command says less, seconds. */
const RECORD = 1800;

export function callHandlers(
  { store, bus, world }: PartContext,
  runtime: Runtime,
  finder: Finder,
): Pick<Handlers<'session-manager'>, Verbs> {
  const wall = () => world.clock.wall();
  const named = (prefix: 'cmd' | 'rec') => newId(prefix, wall(), world.random.bytes(10));

  /** Plans a command for legs that talk, and begins it. */
  async function begin<V extends 'call.play' | 'call.gather' | 'call.record'>(
    request: { readonly session: string; readonly leg?: string },
    asked: Context,
    plan: (found: Steerable) => Omit<CommandPlan, 'id' | 'verb' | 'legs' | 'room'>,
    verb: V,
  ): Promise<Outcome<V>> {
    const before = await repeated<V>(store, asked);
    if (before !== undefined) return before;
    const found = await finder.talking(request.session, request.leg, asked);
    if (!found.ok) return found;
    const { live, leg } = found.value;
    if ((live.state.commands?.length ?? 0) >= COMMANDS_PER_SESSION) {
      return err(fault('limit_reached', `A call takes ${COMMANDS_PER_SESSION} commands.`));
    }
    const id = named('cmd');
    const room = leg === undefined && live.state.room !== undefined;
    const legs = (leg === undefined ? voices(live.state) : [leg]).map((one) => one.id);
    const made = plan(found.value);
    const waits = made.queue && (live.state.commands ?? []).some((one) => one.state !== 'done');
    const recording = made.recording === undefined ? {} : { recording: made.recording };
    const outcome = ok({ id, state: waits ? 'queued' : 'running', ...recording }) as Outcome<V>;
    const command: CommandPlan = { ...made, id, verb, legs, room };
    await runtime.step(request.session, { on: 'command', plan: command }, remember<V>(asked, outcome, wall()));
    const kept = findCommand(live.state, id);
    if (kept === undefined) return err(fault('conflict', 'The call has just ended.'));
    return ok({ id, state: kept.state, ...recording }) as Outcome<V>;
  }

  /** An item that the asker may hear: of the library, or a recording of its own. */
  async function playable(item: string | undefined, asked: Context): Promise<Result<object, Fault>> {
    if (item === undefined) return ok({});
    if (item.startsWith('rec_')) {
      const recording = await bus.request('recording.get', { recording: item }, as(asked));
      if (!recording.ok) return err(fault('media_item_unknown'));
      return recording.value.state === 'ready' ? ok({}) : err(fault('conflict', 'The recording is not ready.'));
    }
    // What the text-to-speech service made is no secret of a home that knows its name; the media server has it or not.
    if (/^say_[0-9a-z]{26}$/.test(item)) return ok({});
    const library = await bus.request('media.list', {}, SELF);
    if (!library.ok) return library;
    return library.value.items.some(({ id }) => id === item) ? ok({}) : err(fault('media_item_unknown'));
  }

  /** A change that is done at once: one step of the machine, with the call's state as the answer. */
  async function change<V extends 'call.hold' | 'call.unhold' | 'call.mute' | 'call.unmute' | 'call.hangup'>(
    found: Result<Steerable, Fault>,
    asked: Context,
    input: Input,
  ): Promise<Outcome<V>> {
    if (!found.ok) return found;
    const { state } = found.value.live;
    const outcome = () => ok({ id: state.id, state: state.state }) as Outcome<V>;
    await runtime.step(state.id, input, remember<V>(asked, outcome(), wall()));
    return outcome();
  }

  async function flag<V extends 'call.hold' | 'call.unhold' | 'call.mute' | 'call.unmute'>(
    request: { readonly session: string; readonly leg: string; readonly item?: string },
    asked: Context,
    what: { readonly held?: boolean; readonly muted?: boolean },
  ): Promise<Outcome<V>> {
    const before = await repeated<V>(store, asked);
    if (before !== undefined) return before;
    const item = await playable(request.item, asked);
    if (!item.ok) return item;
    const found = await finder.talking(request.session, request.leg, asked);
    const music = request.item === undefined ? {} : { item: request.item };
    return change<V>(found, asked, { on: 'flag', leg: request.leg, ...what, ...music });
  }

  return {
    async 'call.play'(request, asked) {
      const { item, tone, loop = false, gain, mode = 'now' } = request;
      if ((item === undefined) === (tone === undefined)) {
        return err(fault('bad_request', 'Give an item or a tone, one of them.', { pointer: '/item' }));
      }
      const known = await playable(item, asked);
      if (!known.ok) return known;
      const source = item === undefined ? (tone === undefined ? {} : { tone }) : { item };
      // A tone has no end of its own.
      return begin(
        request,
        asked,
        () => ({
          ...source,
          ...(gain === undefined ? {} : { gain }),
          loop: loop || tone !== undefined,
          queue: mode === 'queue',
        }),
        'call.play',
      );
    },

    async 'call.gather'(request, asked) {
      const known = await playable(request.prompt, asked);
      if (!known.ok) return known;
      const { min = 1, max = 32, finish, first = FIRST, between = BETWEEN, prompt, interrupt = true } = request;
      if (min > max) return err(fault('bad_request', '`min` is more than `max`.', { pointer: '/min' }));
      const key = finish === undefined ? {} : { finish };
      const gather = { min, max, ...key, first: first * 1000, between: between * 1000, interrupt };
      const item = prompt === undefined ? {} : { item: prompt };
      return begin(request, asked, () => ({ gather, ...item, queue: request.mode === 'queue' }), 'call.gather');
    },

    'call.record': (request, asked) =>
      begin(
        request,
        asked,
        ({ live, leg }) => {
          const home = homeOf(asked, live.state.homes, leg?.home);
          const limit = Math.round((request.seconds ?? RECORD) * 1000);
          return { recording: named('rec'), ...(home === undefined ? {} : { home }), limit, queue: false };
        },
        'call.record',
      ),

    async 'call.stop'({ session, command }, asked) {
      const before = await repeated<'call.stop'>(store, asked);
      if (before !== undefined) return before;
      const state = await finder.session(session, asked);
      const open = state === undefined ? undefined : findCommand(state, command);
      if (state === undefined || open === undefined) return err(fault('not_found', 'This call has no such command.'));
      if (open.state === 'done') return ok(commandView(open));
      const found = await finder.steerable(session, undefined, asked);
      if (!found.ok) return found;
      const stopped = ok({ ...commandView(open), state: 'done' as const, result: 'stopped' });
      const also = remember<'call.stop'>(asked, stopped, wall());
      await runtime.step(session, { on: 'stop-command', command, result: 'stopped' }, also);
      return ok(commandView(findCommand(found.value.live.state, command) ?? open));
    },

    async 'call.commands'({ session }, asked) {
      const state = await finder.session(session, asked);
      return state === undefined ? NOT_FOUND : ok({ items: (state.commands ?? []).map(commandView) });
    },

    async 'call.dtmf'({ session, leg, digits }, asked) {
      const before = await repeated<'call.dtmf'>(store, asked);
      if (before !== undefined) return before;
      const found = await finder.talking(session, leg, asked);
      if (!found.ok) return found;
      const sent = await bus.request('media.digits', { session, leg, digits }, SELF);
      if (sent.ok) await store.commit(remember<'call.dtmf'>(asked, sent, wall()));
      return sent;
    },

    'call.hold': (request, asked) => flag(request, asked, { held: true }),
    'call.unhold': (request, asked) => flag(request, asked, { held: false }),
    'call.mute': (request, asked) => flag(request, asked, { muted: true }),
    'call.unmute': (request, asked) => flag(request, asked, { muted: false }),

    async 'call.hangup'({ session, leg }, asked) {
      const before = await repeated<'call.hangup'>(store, asked);
      if (before !== undefined) return before;
      const found = await finder.steerable(session, leg, asked);
      const input: Input = leg === undefined ? { on: 'end', reason: 'api' } : { on: 'remove', leg, reason: 'api' };
      return change<'call.hangup'>(found, asked, input);
    },

    async 'sound.report'({ session, sound, event }, { principal }) {
      if (principal.kind !== 'part') return err(fault('forbidden'));
      await runtime.step(session, { on: 'sound', sound, failed: event === 'failed' });
      return ok({});
    },
  };
}

/** The home that a recording is for: the leg's, or the first of the session's, as far as the asker sees it. */
function homeOf({ principal }: Context, homes: readonly string[], leg: string | undefined): string | undefined {
  if (principal.kind !== 'account' || principal.homes === 'all') return leg ?? homes[0];
  const own = principal.homes;
  return leg !== undefined && own.includes(leg) ? leg : homes.find((home) => own.includes(home));
}
