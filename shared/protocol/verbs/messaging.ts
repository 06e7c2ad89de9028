import Type from 'typebox';
import { At, Cursor, Empty, Id, listOf, literals, Name, Party, request } from '../schema.ts';
import { verbTable } from '../verb.ts';

/** Octets of a message's body in UTF-8. */
export const TEXT_LIMIT = 10_240;
/** Characters of what a phone may hand in: the text, CPIM headers (RFC 3862) around it included. */
export const SUBMIT_LIMIT = 16_384;
/** Milliseconds that a message waits for a phone: default, shortest and longest. */
export const MESSAGE_LIFE = { usual: 7 * 86_400_000, shortest: 1_000, longest: 30 * 86_400_000 } as const;
/** Parties of one group, and so recipients of one message. */
export const MEMBERS_LIMIT = 64;

const Text = Type.String({ minLength: 1, maxLength: TEXT_LIMIT, description: 'at most 10,240 octets of UTF-8' });
const ContentType = Type.String({
  pattern: '^[a-z]+/[A-Za-z0-9.+_-]{1,64}(;[ A-Za-z0-9=._"-]{1,64})?$',
  description: 'default text/plain;charset=utf-8',
});
const RecipientState = literals('waiting', 'delivered', 'read', 'expired', 'failed');
/** One end of a message: a line of a home, or an address outside. */
const End = Type.Object({ party: Type.String(), line: Type.Optional(Id), home: Type.Optional(Id) });

export const Message = Type.Object({
  id: Id,
  from: End,
  /** What the sender named: a party or a group. */
  to: Type.String(),
  group: Type.Optional(Id),
  /** The service session and leg in which it was sent. */
  session: Type.Optional(Id),
  leg: Type.Optional(Id),
  contentType: Type.String(),
  text: Type.String(),
  /** `accepted` while any recipient waits; else the best that is true of all. */
  state: literals('accepted', 'delivered', 'read', 'expired', 'failed'),
  createdAt: At,
  expiresAt: At,
  /** The sender wants to hear of delivery and reading. */
  receipts: Type.Boolean(),
  recipients: Type.Array(
    Type.Object({
      party: Type.String(),
      line: Type.Optional(Id),
      home: Type.Optional(Id),
      state: RecipientState,
      reason: Type.Optional(Type.String()),
      deliveredAt: Type.Optional(At),
      readAt: Type.Optional(At),
      /** Phones of the line that have it. */
      devices: Type.Integer(),
    }),
  ),
});

const Group = Type.Object({ id: Id, home: Id, name: Type.String(), members: Type.Array(Type.String()), createdAt: At });
const Members = Type.Array(Party, { minItems: 1, maxItems: MEMBERS_LIMIT });

/** The messaging server: one message resource over SIP MESSAGE (RFC 3428) and the open API, stored until it is delivered. */
export const messagingVerbs = verbTable({
  'message.send': {
    family: 'messaging',
    orientation: 'non-voice',
    server: 'messaging',
    about: 'Sends a message from a line to a party or a group; it waits for phones that are off until it expires.',
    request: request({
      /** The line that it comes from: its id, number or SIP URI. */
      from: Party,
      /** A line id, an E.164 number, a SIP URI, or `mailto:` with an address. */
      to: Type.Optional(Party),
      group: Type.Optional(Id),
      text: Type.Optional(Text),
      contentType: Type.Optional(ContentType),
      body: Type.Optional(Text),
      expiresIn: Type.Optional(
        Type.Integer({
          minimum: MESSAGE_LIFE.shortest,
          maximum: MESSAGE_LIFE.longest,
          description: 'milliseconds; default 7 days',
        }),
      ),
      /** Ask phones to say when it was read, and tell the sender’s phones. */
      receipts: Type.Optional(Type.Boolean()),
    }),
    reply: Message,
    faults: ['callee_unknown', 'queue_full', 'message_content'],
    scope: 'messages:write',
    http: { method: 'POST', path: '/v1/messages', status: 201 },
    cli: 'message send',
    gateway: ['req'],
    example: { from: 'line_1', to: '+15550100002', text: 'Dinner is ready.' },
  },
  'message.list': {
    family: 'messaging',
    orientation: 'non-voice',
    server: 'messaging',
    about: 'Lists messages, newest first: of a home, of one of its lines, or of a session.',
    request: request({
      ...Cursor.properties,
      home: Type.Optional(Id),
      line: Type.Optional(Id),
      session: Type.Optional(Id),
    }),
    reply: listOf(Message),
    faults: [],
    scope: 'messages:read',
    http: { method: 'GET', path: '/v1/messages', status: 200 },
    cli: 'message list',
    gateway: ['req'],
    columns: ['createdAt', 'from.party', 'to', 'state', 'text', 'id'],
    example: {},
  },
  'message.get': {
    family: 'messaging',
    orientation: 'non-voice',
    server: 'messaging',
    about: 'Shows a message and what became of it for every recipient.',
    request: request({ message: Id }),
    reply: Message,
    faults: [],
    scope: 'messages:read',
    http: { method: 'GET', path: '/v1/messages/{message}', status: 200 },
    cli: 'message show',
    example: { message: 'msg_1' },
  },
  'message.read': {
    family: 'messaging',
    orientation: 'non-voice',
    server: 'messaging',
    about: 'Marks a message as read for the recipients of the asker’s homes; a sender that asked for it hears of it.',
    request: request({ message: Id }),
    reply: Message,
    faults: [],
    scope: 'messages:write',
    http: { method: 'POST', path: '/v1/messages/{message}/read', status: 200 },
    cli: 'message read',
    example: { message: 'msg_1' },
  },
  'message.delete': {
    family: 'messaging',
    orientation: 'non-voice',
    server: 'messaging',
    about: 'Takes a message out of the lists of the asker’s homes; its delivery to others goes on.',
    request: request({ message: Id }),
    reply: Empty,
    faults: [],
    scope: 'messages:write',
    http: { method: 'DELETE', path: '/v1/messages/{message}', status: 204 },
    cli: 'message delete',
    example: { message: 'msg_1' },
  },
  'group.create': {
    family: 'messaging',
    orientation: 'non-voice',
    server: 'messaging',
    about: 'Makes a group of parties; a message to it goes to every member but its sender.',
    request: request({ home: Id, name: Name, members: Members }),
    reply: Group,
    faults: ['limit_reached'],
    scope: 'groups:write',
    http: { method: 'POST', path: '/v1/groups', status: 201 },
    cli: 'group create',
    example: { home: 'home_1', name: 'Family', members: ['line_1', '+15550100002'] },
  },
  'group.list': {
    family: 'messaging',
    orientation: 'non-voice',
    server: 'messaging',
    about: 'Lists the groups of a home, or of all homes that the asker sees.',
    request: request({ ...Cursor.properties, home: Type.Optional(Id) }),
    reply: listOf(Group),
    faults: [],
    scope: 'groups:read',
    http: { method: 'GET', path: '/v1/groups', status: 200 },
    cli: 'group list',
    example: {},
  },
  'group.get': {
    family: 'messaging',
    orientation: 'non-voice',
    server: 'messaging',
    about: 'Shows a group.',
    request: request({ group: Id }),
    reply: Group,
    faults: [],
    scope: 'groups:read',
    http: { method: 'GET', path: '/v1/groups/{group}', status: 200 },
    cli: 'group show',
    example: { group: 'grp_1' },
  },
  'group.update': {
    family: 'messaging',
    orientation: 'non-voice',
    server: 'messaging',
    about: 'Changes a group’s name or its members.',
    request: request({ group: Id, name: Type.Optional(Name), members: Type.Optional(Members) }),
    reply: Group,
    faults: [],
    scope: 'groups:write',
    http: { method: 'PUT', path: '/v1/groups/{group}', status: 200 },
    cli: 'group update',
    example: { group: 'grp_1', name: 'Family and friends' },
  },
  'group.delete': {
    family: 'messaging',
    orientation: 'non-voice',
    server: 'messaging',
    about: 'Removes a group; its messages stay.',
    request: request({ group: Id }),
    reply: Empty,
    faults: [],
    scope: 'groups:write',
    http: { method: 'DELETE', path: '/v1/groups/{group}', status: 204 },
    cli: 'group delete',
    example: { group: 'grp_1' },
  },
  'message.submit': {
    family: 'messaging',
    orientation: 'non-voice',
    server: 'messaging',
    about:
      'A SIP MESSAGE came from a phone, over the softswitch, or from a gateway that took it while it was cut off. The same one again (by Message-ID, or Call-ID and CSeq) is the same message.',
    request: request({
      /** The line whose phone sent it, as the channel proved. */
      line: Id,
      /** The user or URI of the Request-URI; absent where `lines` names the other side of a call. */
      to: Type.Optional(Type.String({ minLength: 1, maxLength: 256 })),
      lines: Type.Optional(Type.Array(Id, { maxItems: MEMBERS_LIMIT })),
      callId: Type.String({ minLength: 1, maxLength: 256 }),
      cseq: Type.Integer({ minimum: 0 }),
      contentType: Type.String({ maxLength: 128 }),
      body: Type.String({ maxLength: SUBMIT_LIMIT }),
      session: Type.Optional(Id),
      leg: Type.Optional(Id),
      /** Call-ID of the house call in which it was sent. */
      call: Type.Optional(Type.String({ maxLength: 256 })),
      /** Milliseconds, from the Expires header (RFC 3428 section 4); bounded like that of `message.send`. */
      expiresIn: Type.Optional(Type.Integer({ minimum: 0 })),
      at: Type.Optional(At),
      /** Phones of the house that have it already. */
      delivered: Type.Optional(Type.Array(Id, { maxItems: 16 })),
    }),
    reply: Type.Object({ id: Id }),
    faults: ['callee_unknown', 'queue_full', 'message_content', 'rate_limited', 'too_large'],
    gateway: ['event'],
    example: {
      line: 'line_1',
      to: '+15550100002',
      callId: 'a@b',
      cseq: 1,
      contentType: 'text/plain',
      body: 'Dinner is ready.',
    },
  },
  'message.leg': {
    family: 'messaging',
    orientation: 'non-voice',
    server: 'messaging',
    about:
      'Sends a text inside a service session, from one of its lines to some others; repeated for the same leg it is one message.',
    request: request({
      session: Id,
      leg: Id,
      from: Id,
      to: Type.Array(Id, { minItems: 1, maxItems: MEMBERS_LIMIT }),
      text: Text,
    }),
    reply: Message,
    faults: ['callee_unknown', 'queue_full'],
    example: { session: 'ses_1', leg: 'leg_1', from: 'line_1', to: ['line_2'], text: 'Dinner is ready.' },
  },
});
