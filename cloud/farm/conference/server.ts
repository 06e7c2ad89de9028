/**
 * The conference server: a room per session, who is in it and who is muted. The sound is mixed by the media server, which
 * this one instructs over the bus.
 */
import type { Handlers } from '#cloud/bus/bus.ts';
import type { Part } from '#cloud/bus/part.ts';
import { Turns } from '#shared/kernel/turns.ts';
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
  const turns = new Turns();
  return {
    'conference.room.open': (request) => turns.run(request.session, () => room.open(request)),
    'conference.party.add': (request) => turns.run(request.session, () => room.add(request)),
    'conference.party.remove': (request) => turns.run(request.session, () => room.remove(request)),
    'conference.mute': (request, context) => turns.run(request.session, () => room.mute(request, context)),
    'conference.roster': (request, context) => room.roster(request, context),
    'conference.room.close': (request) => turns.run(request.session, () => room.close(request)),
    'conference.room.list': () => room.list(),
  };
}
