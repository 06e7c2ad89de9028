import Type from 'typebox';
import { Empty, Id, literals, request } from '../schema.ts';
import { verbTable } from '../verb.ts';

/** Quality of service: each home’s uplink has a budget; a leg is admitted or refused, and marked (RFC 4594). */
export const qosVerbs = verbTable({
  'qos.reserve': {
    family: 'broadband',
    orientation: 'non-voice',
    server: 'qos',
    about: 'Reserves a leg’s bit rate on a home’s line and chooses its DSCP. The same leg again gives the same answer.',
    request: request({
      session: Id,
      leg: Id,
      home: Id,
      kbits: Type.Integer({ minimum: 1, maximum: 100_000 }),
      kind: literals('voice', 'media'),
      emergency: Type.Optional(Type.Boolean()),
    }),
    reply: Type.Object({
      dscp: Type.Integer(),
      name: Type.String(),
      usedKbits: Type.Integer(),
      budgetKbits: Type.Integer(),
    }),
    faults: ['uplink_full'],
    example: { session: 'ses_1', leg: 'leg_1', home: 'home_1', kbits: 100, kind: 'voice' },
  },
  'qos.release': {
    family: 'broadband',
    orientation: 'non-voice',
    server: 'qos',
    about: 'Gives a leg’s reservation back; harmless when it is gone.',
    request: request({ session: Id, leg: Id }),
    reply: Empty,
    faults: [],
    example: { session: 'ses_1', leg: 'leg_1' },
  },
  'qos.list': {
    family: 'broadband',
    orientation: 'non-voice',
    server: 'qos',
    about: 'The reservations that exist, for reconciliation.',
    request: Empty,
    reply: Type.Object({ items: Type.Array(Type.Object({ session: Id, leg: Id, home: Id, kbits: Type.Integer() })) }),
    faults: [],
    example: {},
  },
  'qos.mark': {
    family: 'broadband',
    orientation: 'non-voice',
    server: 'qos',
    about: 'Has the home’s gateway mark a leg’s packets; answers whether it does, and why not.',
    request: request({ session: Id, leg: Id, gateway: Id, dscp: Type.Integer() }),
    reply: Type.Object({ marked: Type.Boolean(), why: Type.Optional(Type.String()) }),
    faults: [],
    example: { session: 'ses_1', leg: 'leg_1', gateway: 'gw_1', dscp: 46 },
  },
});
