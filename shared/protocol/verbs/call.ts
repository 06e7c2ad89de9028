import Type from 'typebox';
import { At, Cursor, Empty, Id, listOf, literals, Party, request } from '../schema.ts';
import { verbTable } from '../verb.ts';

/** Characters of a telephone keypad. */
const Digits = Type.String({ pattern: '^[0-9A-D*#]{1,64}$' });
const Item = Type.String({ minLength: 1, maxLength: 64, description: 'an item of the library, or a recording' });
const Seconds = (maximum: number) => Type.Number({ minimum: 0.5, maximum, description: 'seconds' });
/** How loud a sound is, as a factor; 1 is as it was recorded. */
const Gain = Type.Number({ minimum: 0.01, maximum: 2, description: 'factor of the loudness; default 1' });
const Mode = literals('now', 'queue');

/** What a command that takes time is doing, and what came of it. */
export const CallCommand = Type.Object({
  id: Id,
  verb: literals('call.play', 'call.gather', 'call.record'),
  legs: Type.Array(Id),
  state: literals('queued', 'running', 'done'),
  /** Why it is done: `completed`, `stopped`, `interrupted`, `timeout`, `finished` (by its key), `failed`, `hangup`. */
  result: Type.Optional(Type.String()),
  digits: Type.Optional(Type.String()),
  recording: Type.Optional(Id),
  startedAt: At,
  endedAt: Type.Optional(At),
});

const Begun = Type.Object({ id: Id, state: literals('queued', 'running', 'done'), recording: Type.Optional(Id) });
const Done = Type.Object({ id: Id, state: literals('created', 'active', 'ending', 'ended') });

/** What every live command shares: the narrowband family, answered by the session manager, for who may steer the call. */
const live = { family: 'narrowband', orientation: 'voice', server: 'session-manager', scope: 'calls:write' } as const;
const target = { session: Id, leg: Type.Optional(Id) };
const oneLeg = { session: Id, leg: Id };
/** Faults of a command that needs the sound of the call in our hands. */
const sound = ['not_found', 'conflict', 'no_codec', 'limit_reached', 'server_unavailable'] as const;

const Recording = Type.Object({
  id: Id,
  session: Id,
  home: Type.Optional(Id),
  state: literals('recording', 'ready', 'failed'),
  startedAt: At,
  endedAt: Type.Optional(At),
  seconds: Type.Optional(Type.Number()),
  octets: Type.Optional(Type.Integer()),
});

/** Live commands on a call: a session of any kind that has voice legs. A call that a phone dialled is taken over at the first one. */
export const callVerbs = verbTable({
  'call.answer': {
    ...live,
    about: 'Answers the call that waits for an application; it is then a leg whose sound the application gives.',
    request: request({ session: Id }),
    reply: Done,
    faults: [...sound],
    http: { method: 'POST', path: '/v1/calls/{session}/answer', status: 202 },
    cli: 'call answer',
    example: { session: 'ses_1' },
  },
  'call.play': {
    ...live,
    about: 'Plays an item, a recording or a tone to one leg, or to all; with `queue` once what plays has ended.',
    request: request({
      ...target,
      item: Type.Optional(Item),
      tone: Type.Optional(literals('ringback', 'busy', 'dial')),
      loop: Type.Optional(Type.Boolean()),
      gain: Type.Optional(Gain),
      mode: Type.Optional(Mode),
    }),
    reply: Begun,
    faults: [...sound, 'media_item_unknown'],
    http: { method: 'POST', path: '/v1/calls/{session}/play', status: 202 },
    cli: 'call play',
    example: { session: 'ses_1', leg: 'leg_1', item: 'welcome' },
  },
  'call.gather': {
    ...live,
    about:
      'Collects digits of a leg (telephone events or SIP INFO) up to `max`, the finish key or a pause; a prompt is cut short by the first digit.',
    request: request({
      ...oneLeg,
      min: Type.Optional(Type.Integer({ minimum: 1, maximum: 32 })),
      max: Type.Optional(Type.Integer({ minimum: 1, maximum: 32 })),
      finish: Type.Optional(Type.String({ pattern: '^[0-9A-D*#]$' })),
      first: Type.Optional(Seconds(120)),
      between: Type.Optional(Seconds(60)),
      prompt: Type.Optional(Item),
      interrupt: Type.Optional(Type.Boolean()),
      mode: Type.Optional(Mode),
    }),
    reply: Begun,
    faults: [...sound, 'media_item_unknown'],
    http: { method: 'POST', path: '/v1/calls/{session}/gather', status: 202 },
    cli: 'call gather',
    example: { session: 'ses_1', leg: 'leg_1', max: 4, finish: '#', prompt: 'welcome' },
  },
  'call.record': {
    ...live,
    about:
      'Records one leg, or all of them mixed, as a WAV file until it is stopped, `seconds` are over or the call ends.',
    request: request({ ...target, seconds: Type.Optional(Type.Number({ minimum: 1, maximum: 1800 })) }),
    reply: Begun,
    faults: [...sound],
    http: { method: 'POST', path: '/v1/calls/{session}/record', status: 202 },
    cli: 'call record',
    example: { session: 'ses_1' },
  },
  'call.stop': {
    ...live,
    about: 'Stops a command that plays, gathers or records; harmless when it is done.',
    request: request({ session: Id, command: Id }),
    reply: CallCommand,
    faults: ['not_found'],
    http: { method: 'POST', path: '/v1/calls/{session}/commands/{command}/stop', status: 200 },
    cli: 'call stop',
    example: { session: 'ses_1', command: 'cmd_1' },
  },
  'call.commands': {
    ...live,
    about: 'The commands of a call with what came of them, newest last.',
    request: request({ session: Id }),
    reply: listOf(CallCommand),
    faults: ['not_found'],
    scope: 'calls:read',
    http: { method: 'GET', path: '/v1/calls/{session}/commands', status: 200 },
    cli: 'call commands',
    example: { session: 'ses_1' },
  },
  'call.dtmf': {
    ...live,
    about: 'Sends digits to the phone of a leg as telephone events (RFC 4733).',
    request: request({ ...oneLeg, digits: Digits }),
    reply: Empty,
    faults: [...sound],
    http: { method: 'POST', path: '/v1/calls/{session}/dtmf', status: 200 },
    cli: 'call dtmf',
    example: { session: 'ses_1', leg: 'leg_1', digits: '42#' },
  },
  'call.hold': {
    ...live,
    about: 'Puts a leg on hold: it hears music and is heard by nobody.',
    request: request({ ...oneLeg, item: Type.Optional(Item) }),
    reply: Done,
    faults: [...sound, 'media_item_unknown'],
    http: { method: 'POST', path: '/v1/calls/{session}/hold', status: 200 },
    cli: 'call hold',
    example: { session: 'ses_1', leg: 'leg_1' },
  },
  'call.unhold': {
    ...live,
    about: 'Takes a leg back from hold; harmless when it is not held.',
    request: request(oneLeg),
    reply: Done,
    faults: [...sound],
    http: { method: 'POST', path: '/v1/calls/{session}/unhold', status: 200 },
    cli: 'call unhold',
    example: { session: 'ses_1', leg: 'leg_1' },
  },
  'call.mute': {
    ...live,
    about: 'The leg goes on hearing the others, and they no longer hear it.',
    request: request(oneLeg),
    reply: Done,
    faults: [...sound],
    http: { method: 'POST', path: '/v1/calls/{session}/mute', status: 200 },
    cli: 'call mute',
    example: { session: 'ses_1', leg: 'leg_1' },
  },
  'call.unmute': {
    ...live,
    about: 'The others hear the leg again; harmless when it is not muted.',
    request: request(oneLeg),
    reply: Done,
    faults: [...sound],
    http: { method: 'POST', path: '/v1/calls/{session}/unmute', status: 200 },
    cli: 'call unmute',
    example: { session: 'ses_1', leg: 'leg_1' },
  },
  'call.transfer': {
    ...live,
    about:
      'Replaces the party of a leg by another one: the rest hears ringing until it answers, and has the old party back when it does not. With `with` the far party of another call takes its place at once (attended).',
    request: request({
      ...oneLeg,
      to: Type.Optional(Party),
      with: Type.Optional(request({ session: Id, leg: Id })),
    }),
    reply: Type.Object({ id: Id, state: Done.properties.state, leg: Id }),
    faults: [...sound, 'callee_unknown', 'callee_offline', 'insufficient_credit', 'uplink_full'],
    http: { method: 'POST', path: '/v1/calls/{session}/transfer', status: 202 },
    cli: 'call transfer',
    example: { session: 'ses_1', leg: 'leg_1', to: '+15550100003' },
  },
  'call.hangup': {
    ...live,
    about: 'Hangs up one leg, or with none named the whole call.',
    request: request({ ...target }),
    reply: Done,
    faults: ['not_found'],
    http: { method: 'POST', path: '/v1/calls/{session}/hangup', status: 202 },
    cli: 'call hangup',
    example: { session: 'ses_1' },
  },
  'sound.report': {
    family: 'narrowband',
    orientation: 'voice',
    server: 'session-manager',
    about: 'The media server says that a sound has come to its end, or a recording.',
    request: request({ session: Id, sound: Id, event: literals('ended', 'failed') }),
    reply: Empty,
    faults: [],
    example: { session: 'ses_1', sound: 'cmd_1', event: 'ended' },
  },
  'leg.refer': {
    family: 'narrowband',
    orientation: 'voice',
    server: 'session-manager',
    about:
      'A phone asks by REFER (RFC 3515) that the other side of its call be transferred: to a number, or to the far party of another call of its own (Replaces, RFC 3891).',
    request: request({
      ...oneLeg,
      to: Type.Optional(Type.String({ minLength: 1, maxLength: 256 })),
      with: Type.Optional(request({ session: Id, leg: Id })),
      /** The phone asks for privacy: who is called is not told who transfers. */
      hidden: Type.Optional(Type.Boolean()),
    }),
    reply: Type.Object({ leg: Id }),
    faults: [...sound, 'callee_unknown', 'callee_offline', 'insufficient_credit', 'uplink_full', 'forbidden'],
    example: { session: 'ses_1', leg: 'leg_1', to: '+15550100003' },
  },
  'media.sound.start': {
    family: 'narrowband',
    orientation: 'voice',
    server: 'media',
    about:
      'Plays an item, a recording or a tone to legs of a session or into its room. The same sound again changes nothing.',
    request: request({
      session: Id,
      sound: Id,
      item: Type.Optional(Item),
      tone: Type.Optional(literals('ringback', 'busy', 'dial')),
      legs: Type.Array(Id, { maxItems: 32 }),
      room: Type.Optional(Id),
      loop: Type.Boolean(),
      gain: Type.Optional(Gain),
    }),
    reply: Empty,
    faults: ['media_item_unknown', 'not_found', 'limit_reached'],
    example: { session: 'ses_1', sound: 'cmd_1', item: 'welcome', legs: ['leg_1'], loop: false },
  },
  'media.sound.stop': {
    family: 'narrowband',
    orientation: 'voice',
    server: 'media',
    about: 'Stops a sound; harmless when it has ended.',
    request: request({ session: Id, sound: Id }),
    reply: Empty,
    faults: [],
    example: { session: 'ses_1', sound: 'cmd_1' },
  },
  'media.record.start': {
    family: 'narrowband',
    orientation: 'voice',
    server: 'media',
    about: 'Records legs of a session, mixed, or its room. The same recording again changes nothing.',
    request: request({
      session: Id,
      sound: Id,
      recording: Id,
      home: Type.Optional(Id),
      legs: Type.Array(Id, { maxItems: 32 }),
      room: Type.Optional(Id),
      limit: Type.Integer({ minimum: 1000, maximum: 1_800_000, description: 'milliseconds' }),
    }),
    reply: Empty,
    faults: ['not_found', 'limit_reached'],
    example: { session: 'ses_1', sound: 'cmd_1', recording: 'rec_1', legs: ['leg_1'], limit: 60_000 },
  },
  'media.record.stop': {
    family: 'narrowband',
    orientation: 'voice',
    server: 'media',
    about: 'Ends a recording; it can be heard from then on. Harmless when it has ended.',
    request: request({ session: Id, recording: Id }),
    reply: Empty,
    faults: [],
    example: { session: 'ses_1', recording: 'rec_1' },
  },
  'media.digits': {
    family: 'narrowband',
    orientation: 'voice',
    server: 'media',
    about: 'Sends digits to the phone of a leg as telephone events.',
    request: request({ ...oneLeg, digits: Digits }),
    reply: Empty,
    faults: ['not_found', 'conflict'],
    example: { session: 'ses_1', leg: 'leg_1', digits: '5' },
  },
  'recording.list': {
    family: 'narrowband',
    orientation: 'voice',
    server: 'media',
    about: 'Lists recordings, newest first.',
    request: request({ ...Cursor.properties, home: Type.Optional(Id), session: Type.Optional(Id) }),
    reply: listOf(Recording),
    faults: [],
    scope: 'recordings:read',
    http: { method: 'GET', path: '/v1/recordings', status: 200 },
    cli: 'recording list',
    example: { session: 'ses_1' },
  },
  'recording.get': {
    family: 'narrowband',
    orientation: 'voice',
    server: 'media',
    about: 'Shows a recording.',
    request: request({ recording: Id }),
    reply: Recording,
    faults: ['not_found'],
    scope: 'recordings:read',
    http: { method: 'GET', path: '/v1/recordings/{recording}', status: 200 },
    cli: 'recording show',
    example: { recording: 'rec_1' },
  },
  'recording.audio': {
    family: 'narrowband',
    orientation: 'voice',
    server: 'media',
    about:
      'A part of a recording’s WAV file (8 kHz mono, G.711 mu-law), base64; `next` is the offset of the following part.',
    request: request({ recording: Id, offset: Type.Optional(Type.Integer({ minimum: 0 })) }),
    reply: Type.Object({
      type: Type.Literal('audio/wav'),
      total: Type.Integer({ description: 'octets of the whole file' }),
      data: Type.String({ description: 'base64' }),
      next: Type.Optional(Type.Integer()),
    }),
    faults: ['not_found', 'conflict'],
    scope: 'recordings:read',
    http: { method: 'GET', path: '/v1/recordings/{recording}/audio', status: 200 },
    cli: 'recording audio',
    example: { recording: 'rec_1' },
  },
  'recording.delete': {
    family: 'narrowband',
    orientation: 'voice',
    server: 'media',
    about: 'Deletes a recording and its file.',
    request: request({ recording: Id }),
    reply: Empty,
    faults: ['not_found', 'conflict'],
    scope: 'recordings:write',
    http: { method: 'DELETE', path: '/v1/recordings/{recording}', status: 204 },
    cli: 'recording delete',
    example: { recording: 'rec_1' },
  },
});
