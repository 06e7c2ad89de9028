import Type from 'typebox';
import { Empty, Id, request } from '../schema.ts';
import { verbTable } from '../verb.ts';

/** The edge where gateways connect: carries commands and documents down, knows who is present. */
export const gatewayEdgeVerbs = verbTable({
  'gateway.command': {
    family: 'operations',
    orientation: 'non-voice',
    server: 'gateway-edge',
    about: 'Sends a command (a verb of channel `cmd`) to a gateway and waits for its answer.',
    request: request({
      gateway: Id,
      verb: Type.String({ maxLength: 64 }),
      body: Type.Unknown(),
      timeout: Type.Optional(Type.Integer({ minimum: 100, maximum: 60_000 })),
    }),
    reply: Type.Object({ body: Type.Unknown() }),
    faults: ['gateway_offline', 'gateway_refused'],
    example: { gateway: 'gw_1', verb: 'device.wake.local', body: { mac: '02:00:00:00:00:01' } },
  },
  'gateway.desire': {
    family: 'operations',
    orientation: 'non-voice',
    server: 'gateway-edge',
    about: 'Sends a desired document to a gateway that is connected; an absent one gets it after its next hello.',
    request: request({
      gateway: Id,
      doc: Type.String({ maxLength: 32 }),
      version: Type.Integer(),
      body: Type.Unknown(),
    }),
    reply: Type.Object({ sent: Type.Boolean() }),
    faults: [],
    example: { gateway: 'gw_1', doc: 'voice', version: 2, body: {} },
  },
  'gateway.disconnect': {
    family: 'operations',
    orientation: 'non-voice',
    server: 'gateway-edge',
    about: 'Cuts a gateway’s connections, MQTT and SIP.',
    request: request({ gateway: Id, reason: Type.String({ maxLength: 64 }) }),
    reply: Empty,
    faults: [],
    example: { gateway: 'gw_1', reason: 'unpaired' },
  },
  'presence.list': {
    family: 'operations',
    orientation: 'non-voice',
    server: 'gateway-edge',
    about: 'Which gateways are connected, with the epoch of their lease.',
    request: request({ gateways: Type.Optional(Type.Array(Id)) }),
    reply: Type.Object({
      items: Type.Array(Type.Object({ gateway: Id, epoch: Type.Integer(), address: Type.String() })),
    }),
    faults: [],
    example: {},
  },
});
