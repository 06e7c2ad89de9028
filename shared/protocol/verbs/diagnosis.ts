import Type from 'typebox';
import { At, Id, literals, request } from '../schema.ts';
import { verbTable } from '../verb.ts';
import { UpdateStatus } from './rollout.ts';

/** Diagnosis of one gateway: each question is asked of the user agent itself (`….local`) or through the cloud. */
const Text = Type.String({ maxLength: 512 });
const Count = Type.Integer({ minimum: 0 });
const CheckId = Type.String({ pattern: '^[a-z][a-z-]{0,15}\\.[a-z][a-z-]{0,31}$' });
const Group = Type.String({ pattern: '^[a-z][a-z-]{0,15}$' });
/** A SIP Call-ID, or the gateway's own name of a call. */
const CallName = Type.String({ minLength: 1, maxLength: 256, pattern: '^[!-~]+$' });

export const results = ['ok', 'warn', 'fail', 'skipped'] as const;

export const CheckResult = Type.Object({
  id: CheckId,
  group: Group,
  about: Text,
  result: literals(...results),
  /** What was seen. */
  evidence: Text,
  /** The likely cause and what to do, for `warn` and `fail`. */
  cause: Type.Optional(Text),
  next: Type.Optional(Text),
  /** The check on whose failure this one was skipped; absent where it does not apply here. */
  because: Type.Optional(CheckId),
});

/** `root` is the one check that explains the others: the first that failed, else the first that warns. */
export const CheckReport = Type.Object({
  gateway: Type.String(),
  at: At,
  /** Milliseconds. */
  took: Count,
  result: literals('ok', 'warn', 'fail'),
  root: Type.Optional(CheckId),
  counts: Type.Object({ ok: Count, warn: Count, fail: Count, skipped: Count }),
  items: Type.Array(CheckResult),
});

const LineState = Type.Object({
  id: Id,
  number: Type.String(),
  name: Type.Optional(Type.String()),
  kind: literals('phone', 'appliance'),
  /** Where its phones are, `protocol address:port`. */
  phones: Type.Array(Type.String()),
  /** Its registration at the softswitch. */
  upstream: literals('none', 'asking', 'held', 'refused'),
});

const ModemState = Type.Object({
  state: literals('closed', 'starting', 'ready', 'silent'),
  registration: literals('none', 'home', 'searching', 'denied', 'unknown', 'roaming', 'emergency'),
  sim: Type.String(),
  /** Decibels over a milliwatt. */
  signal: Type.Optional(Type.Integer()),
  /** The port for the call's sound is open. */
  sound: Type.Boolean(),
  /** It is in a call. */
  call: Type.Boolean(),
});

const StatusReport = Type.Object({
  gateway: Type.String(),
  profile: Type.String(),
  version: Type.String(),
  at: At,
  /** Milliseconds since the user agent started. */
  uptime: Count,
  pairing: Type.String(),
  /** Where it stands between power and ready, in one line. */
  stage: Type.Optional(Type.String()),
  home: Type.Optional(Type.String()),
  problem: Type.Optional(Type.String()),
  cloud: Type.Object({
    url: Type.String(),
    link: Type.String(),
    epoch: Count,
    since: At,
    /** Milliseconds that the cloud's clock is ahead. */
    offset: Type.Integer(),
    why: Type.Optional(Type.String()),
  }),
  sip: Type.Object({ udp: Type.String(), tcp: Type.String(), flow: literals('up', 'down'), calls: Count }),
  lines: Type.Array(LineState),
  documents: Type.Record(Type.String(), Type.Integer()),
  outbox: Type.Object({ waiting: Count, octets: Count, lost: Count }),
  addresses: Type.Array(Type.String()),
  devices: Count,
  /** The mobile modem for calls for help, where there is one. */
  modem: Type.Optional(ModemState),
});

const NetworkReport = Type.Object({
  interfaces: Type.Array(
    Type.Object({
      name: Type.String(),
      address: Type.String(),
      mac: Type.String(),
      up: Type.Optional(Type.Boolean()),
      mtu: Type.Optional(Type.Integer()),
    }),
  ),
  route: Type.Optional(Type.String()),
  nameservers: Type.Array(Type.String()),
});

const HostsReport = Type.Object({
  items: Type.Array(
    Type.Object({
      id: Id,
      name: Type.String(),
      kind: Type.String(),
      address: Type.String(),
      mac: Type.Optional(Type.String()),
      found: Type.String(),
    }),
  ),
});

const LogPage = Type.Object({
  items: Type.Array(
    Type.Object({
      /** Counts up over the life of the gateway's log. */
      n: Count,
      at: At,
      level: literals('debug', 'info', 'warn', 'error'),
      event: Type.String(),
      fields: Type.Record(Type.String(), Type.Union([Type.String(), Type.Number(), Type.Boolean()])),
    }),
  ),
  /** The `after` that gives what comes later. */
  last: Count,
});

const CallList = Type.Object({
  items: Type.Array(
    Type.Object({
      id: Id,
      callIds: Type.Array(Type.String()),
      from: Type.String(),
      to: Type.String(),
      startedAt: At,
      answeredAt: Type.Optional(At),
      endedAt: Type.Optional(At),
      reason: Type.Optional(Type.String()),
    }),
  ),
});

const Trace = Type.Object({
  call: Type.String(),
  items: Type.Array(
    Type.Object({
      at: At,
      /** `in` and `out` as seen by who keeps the trace; `note` is an event that is no message. */
      kind: literals('in', 'out', 'note'),
      /** `protocol address:port` of the other end. */
      peer: Type.String(),
      summary: Type.String(),
      /** The message with its secrets masked. */
      text: Type.String(),
    }),
  ),
});

const Answer = Type.Object({
  /** One sentence. */
  answer: Type.String(),
  evidence: Type.Array(Type.String()),
  next: Type.Optional(Type.String()),
  /** The check that it rests on. */
  check: Type.Optional(CheckId),
  certain: Type.Boolean(),
});

const BundlePart = Type.Object({
  /** Names the bundle while its parts are fetched. */
  id: Id,
  octets: Count,
  sha256: Type.String(),
  parts: Count,
  files: Type.Array(Type.Object({ name: Type.String(), octets: Count })),
  part: Type.Optional(Count),
  /** Base 64. */
  data: Type.Optional(Type.String()),
});

const SerialPorts = Type.Object({
  items: Type.Array(
    Type.Object({
      path: Type.String(),
      driver: Type.Optional(Type.String()),
      usb: Type.Optional(Type.String()),
      product: Type.Optional(Type.String()),
      serial: Type.Optional(Type.String()),
    }),
  ),
});

const checks = {
  /** Without the probes of the network. */
  quick: Type.Optional(Type.Boolean()),
  group: Type.Optional(Group),
  check: Type.Optional(CheckId),
};
const logs = {
  since: Type.Optional(At),
  call: Type.Optional(CallName),
  level: Type.Optional(literals('debug', 'info', 'warn', 'error')),
  after: Type.Optional(Count),
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 200 })),
};
const why = {
  about: Type.Optional(literals('gateway', 'line', 'call')),
  subject: Type.Optional(CallName),
};
const bundle = { bundle: Type.Optional(Id), part: Type.Optional(Type.Integer({ minimum: 0, maximum: 255 })) };

type Example = Readonly<Record<string, unknown>>;

/** A question that the user agent answers. */
function local<Q extends Type.TProperties, R extends Type.TSchema>(about: string, q: Q, reply: R, example: Example) {
  return {
    family: 'operations',
    orientation: 'non-voice',
    server: 'user-agent',
    about,
    request: request(q),
    reply,
    faults: ['gateway_refused'],
    gateway: ['cmd'],
    example,
  } as const;
}

/** The same question through the cloud. */
function remote<Q extends Type.TProperties, R extends Type.TSchema, P extends string>(
  about: string,
  path: P,
  q: Q,
  reply: R,
  example: Example,
) {
  return {
    family: 'operations',
    orientation: 'non-voice',
    server: 'oamp',
    about,
    request: request({ gateway: Id, ...q }),
    reply,
    faults: ['gateway_offline', 'gateway_refused'],
    scope: 'diagnosis:read',
    roles: ['operator', 'technician', 'subscriber'],
    http: { method: 'GET', path: `/v1/gateways/{gateway}/${path}`, status: 200 },
    example: { gateway: 'gw_1', ...example },
  } as const;
}

export const diagnosisVerbs = verbTable({
  'gateway.status.local': local('The gateway tells its state on one screen.', {}, StatusReport, {}),
  'gateway.check.local': local('The gateway runs its checks.', checks, CheckReport, { quick: true }),
  'gateway.logs.local': local('The gateway shows its log.', logs, LogPage, { limit: 10 }),
  'gateway.calls.local': local('The gateway lists the calls that it remembers.', {}, CallList, {}),
  'gateway.trace.local': local('The gateway shows one call message by message.', { call: CallName }, Trace, {
    call: 'c1x1',
  }),
  'gateway.why.local': local('The gateway says in plain words what is wrong.', why, Answer, { about: 'gateway' }),
  'gateway.network.local': local('The gateway tells its addresses and routes.', {}, NetworkReport, {}),
  'gateway.hosts.local': local('The gateway lists the devices on its LAN.', {}, HostsReport, {}),
  'gateway.serial.local': local('The gateway lists its serial ports.', {}, SerialPorts, {}),
  'gateway.update.local': local('The gateway tells its systems and updates.', {}, UpdateStatus, {}),
  'gateway.bundle.local': local(
    'The gateway makes a support bundle without secrets, or gives a part of one.',
    bundle,
    BundlePart,
    {},
  ),
  'session.trace': {
    family: 'operations',
    orientation: 'voice',
    server: 'softswitch',
    about: 'Shows a session’s SIP messages as the softswitch saw them, secrets masked, while it remembers them.',
    request: request({ session: Id }),
    reply: Trace,
    faults: [],
    scope: 'diagnosis:read',
    roles: ['operator', 'technician', 'subscriber'],
    http: { method: 'GET', path: '/v1/sessions/{session}/trace', status: 200 },
    example: { session: 'ses_1' },
  },
  'gateway.status': remote('Asks a gateway for its state on one screen.', 'status', {}, StatusReport, {}),
  'gateway.check': remote('Runs the checks of a gateway.', 'check', checks, CheckReport, { quick: true }),
  'gateway.logs': remote('Reads the log of a gateway.', 'logs', logs, LogPage, { limit: 10 }),
  'gateway.calls': remote('Lists the calls that a gateway remembers.', 'calls', {}, CallList, {}),
  'gateway.trace': remote('Shows one call message by message.', 'calls/{call}', { call: CallName }, Trace, {
    call: 'c1x1',
  }),
  'gateway.why': remote('Says in plain words what is wrong with a gateway, a line or a call.', 'why', why, Answer, {
    about: 'gateway',
  }),
  'gateway.network': remote('Asks a gateway for its addresses and routes.', 'network', {}, NetworkReport, {}),
  'gateway.hosts': remote('Lists the devices on a gateway’s LAN as it sees them now.', 'hosts', {}, HostsReport, {}),
  'gateway.update': remote('Asks a gateway for its systems and updates.', 'update', {}, UpdateStatus, {}),
  'gateway.serial': remote('Lists the serial ports of a gateway.', 'serial', {}, SerialPorts, {}),
  'gateway.bundle': remote(
    'Has a gateway make a support bundle without secrets, or fetches a part of one.',
    'bundle',
    bundle,
    BundlePart,
    {},
  ),
});
