import Type from 'typebox';
import { Dialled, Empty, Id, literals, request } from '../schema.ts';
import { verbTable } from '../verb.ts';

/** Commands that a gateway's user agent obeys; the cloud sends them by `gateway.command`. */
export const userAgentVerbs = verbTable({
  'device.wake.local': {
    family: 'broadband',
    orientation: 'non-voice',
    server: 'user-agent',
    about: 'The gateway sends a wake-on-LAN packet on its LAN.',
    request: request({ mac: Type.String({ pattern: '^[0-9a-f]{2}(:[0-9a-f]{2}){5}$' }) }),
    reply: Type.Object({ sent: Type.Integer() }),
    faults: ['gateway_refused'],
    gateway: ['cmd'],
    example: { mac: '02:00:00:00:00:01' },
  },
  'inventory.scan': {
    family: 'broadband',
    orientation: 'non-voice',
    server: 'user-agent',
    about: 'The gateway looks for appliances on its LAN now and reports them.',
    request: Empty,
    reply: Type.Object({ devices: Type.Integer() }),
    faults: [],
    gateway: ['cmd'],
    example: {},
  },
  'appliance.press.local': {
    family: 'narrowband',
    orientation: 'voice',
    server: 'user-agent',
    about: 'The button of a device that is itself one SIP endpoint: it calls from its home’s line of kind appliance.',
    request: request({ to: Dialled }),
    reply: Type.Object({ line: Id }),
    faults: ['gateway_refused'],
    gateway: ['cmd'],
    example: { to: '+15550100001' },
  },
  'gateway.released': {
    family: 'operations',
    orientation: 'non-voice',
    server: 'user-agent',
    about: 'This gateway was removed, or its pairing undone: it asks how it stands at once, before it is cut off.',
    request: Empty,
    reply: Empty,
    faults: [],
    gateway: ['cmd'],
    example: {},
  },
  'qos.apply': {
    family: 'broadband',
    orientation: 'non-voice',
    server: 'user-agent',
    about: 'The gateway marks a leg’s packets with a DSCP; it answers whether it could, and why not.',
    request: request({
      session: Id,
      leg: Id,
      dscp: Type.Integer({ minimum: 0, maximum: 63 }),
      state: literals('apply', 'remove'),
    }),
    reply: Type.Object({ marked: Type.Boolean(), why: Type.Optional(Type.String()) }),
    faults: [],
    gateway: ['cmd'],
    example: { session: 'ses_1', leg: 'leg_1', dscp: 46, state: 'apply' },
  },
});
