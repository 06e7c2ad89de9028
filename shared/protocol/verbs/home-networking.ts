import Type from 'typebox';
import { At, Cursor, Dialled, Empty, Id, listOf, literals, Name, request } from '../schema.ts';
import { verbTable } from '../verb.ts';

/** An appliance seen on a home’s LAN. `id` is derived from what names it best (UDN, MAC, instance name). */
export const DeviceFacts = Type.Object({
  id: Id,
  name: Name,
  kind: Type.String({ maxLength: 128 }),
  address: Type.String({ maxLength: 64 }),
  mac: Type.Optional(Type.String({ maxLength: 17 })),
  found: literals('ssdp', 'mdns', 'arp'),
  wakes: Type.Boolean(),
  seenAt: At,
});
export const Device = Type.Object({ ...DeviceFacts.properties, home: Id, gateway: Id, present: Type.Boolean() });

/** Home networking: the appliances of each home. */
export const homeNetworkingVerbs = verbTable({
  'device.list': {
    family: 'broadband',
    orientation: 'non-voice',
    server: 'home-networking',
    about: 'Lists the appliances that a home’s gateways see on their LAN.',
    request: request({ home: Id, ...Cursor.properties }),
    reply: listOf(Device),
    faults: [],
    scope: 'devices:read',
    http: { method: 'GET', path: '/v1/homes/{home}/devices', status: 200 },
    cli: 'device list',
    example: { home: 'home_1' },
  },
  'presence.get': {
    family: 'broadband',
    orientation: 'non-voice',
    server: 'home-networking',
    about: 'Who and what of a home can be reached: phones registered on its lines, gateways online, devices seen.',
    request: request({ home: Id }),
    reply: Type.Object({
      home: Id,
      at: At,
      lines: Type.Array(
        Type.Object({
          id: Id,
          number: Type.String(),
          name: Type.Optional(Type.String()),
          registered: Type.Boolean(),
        }),
      ),
      gateways: Type.Array(Type.Object({ id: Id, online: Type.Boolean() })),
      devices: Type.Array(
        Type.Object({ id: Id, name: Type.String(), kind: Type.String(), present: Type.Boolean(), seenAt: At }),
      ),
    }),
    faults: [],
    scope: 'presence:read',
    http: { method: 'GET', path: '/v1/homes/{home}/presence', status: 200 },
    cli: 'presence show',
    example: { home: 'home_1' },
  },
  'device.wake': {
    family: 'broadband',
    orientation: 'non-voice',
    server: 'home-networking',
    about: 'Has the home’s gateway send a wake-on-LAN packet to a device.',
    request: request({ home: Id, device: Id }),
    reply: Type.Object({ sent: Type.Integer() }),
    faults: ['gateway_offline', 'gateway_refused'],
    scope: 'devices:write',
    http: { method: 'POST', path: '/v1/homes/{home}/devices/{device}/wake', status: 200 },
    cli: 'device wake',
    example: { home: 'home_1', device: 'dev_1' },
  },
  'appliance.press': {
    family: 'broadband',
    orientation: 'non-voice',
    server: 'home-networking',
    about: 'Presses the button of a device of profile ip-appliance: it calls a number or username by itself.',
    request: request({ home: Id, gateway: Id, to: Dialled }),
    reply: Type.Object({ line: Id }),
    faults: ['gateway_offline', 'gateway_refused'],
    scope: 'devices:write',
    http: { method: 'POST', path: '/v1/homes/{home}/gateways/{gateway}/press', status: 200 },
    cli: 'appliance press',
    example: { home: 'home_1', gateway: 'gw_1', to: '+15550100001' },
  },
  'device.report': {
    family: 'broadband',
    orientation: 'non-voice',
    server: 'home-networking',
    about: 'A gateway reports the whole inventory of its LAN.',
    request: request({ devices: Type.Array(DeviceFacts, { maxItems: 256 }) }),
    reply: Empty,
    faults: [],
    gateway: ['event'],
    example: { devices: [] },
  },
});
