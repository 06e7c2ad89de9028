/**
 * The conference server: a room per session, who is in it and who is muted. The sound is mixed by the media server, which
 * this one instructs over the bus.
 */
import type { Handlers } from '#cloud/bus/bus.ts';
import type { Part } from '#cloud/bus/part.ts';
import { Conference, ROOMS } from './conference.ts';
import { Rooms } from './rooms.ts';

export const conference: Part = {
  name: 'conference',
  async start(context) {
    const rooms = new Rooms(context.store);
    await rooms.load();
    const leave = context.bus.serve('conference', handlers(new Conference(context, rooms)));
    return {
      health: () => ({ state: 'running', load: Math.min(1, rooms.count / ROOMS), legs: rooms.count }),
      stop: async () => leave(),
    };
  },
};

/** What changes a room happens in turn, one session's changes one after another. */
function handlers(room: Conference): Handlers<'conference'> {
  const inTurn = serial();
  return {
    'conference.room.open': (request) => inTurn(request.session, () => room.open(request)),
    'conference.party.add': (request) => inTurn(request.session, () => room.add(request)),
    'conference.party.remove': (request) => inTurn(request.session, () => room.remove(request)),
    'conference.mute': (request, context) => inTurn(request.session, () => room.mute(request, context)),
    'conference.roster': (request, context) => room.roster(request, context),
    'conference.room.close': (request) => inTurn(request.session, () => room.close(request)),
    'conference.room.list': () => room.list(),
  };
}

/** Lets the tasks of one key run one after another; a task that fails does not hold up the next. */
function serial(): <T>(key: string, task: () => Promise<T>) => Promise<T> {
  const last = new Map<string, Promise<unknown>>();
  return (key, task) => {
    const done = (last.get(key) ?? Promise.resolve()).then(task);
    const settled = done.catch(() => undefined);
    last.set(key, settled);
    void settled.then(() => {
      if (last.get(key) === settled) last.delete(key);
    });
    return done;
  };
}
