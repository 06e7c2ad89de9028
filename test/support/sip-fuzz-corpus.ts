/** Sound messages of every kind that our own calls exchange: what the generator of hostile ones starts from. */

const SDP = [
  'v=0',
  'o=- 20518 0 IN IP4 192.0.2.9',
  's=-',
  'c=IN IP4 192.0.2.9',
  't=0 0',
  'm=audio 49170 RTP/AVP 8 0 101',
  'a=rtpmap:8 PCMA/8000',
  'a=rtpmap:101 telephone-event/8000',
  'a=fmtp:101 0-15',
  'a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj',
  'a=sendrecv',
  '',
].join('\r\n');
const SDP_SIX = SDP.replaceAll('IP4 192.0.2.9', 'IP6 2001:db8::9').replace(
  'm=audio',
  'm=video 0 RTP/AVP 31\r\nm=audio',
);
const MULTIPART = [
  '--limit',
  'Content-Type: application/sdp',
  '',
  `${SDP}--limit`,
  'Content-Type: application/pidf+xml',
  'Content-ID: <place@a.example>',
  '',
  '<presence/>',
  '--limit--',
  '',
].join('\r\n');
const CPIM =
  'From: <im:a@b>\r\nNS: imdn <urn:ietf:params:imdn>\r\nimdn.Message-ID: 1\r\n\r\nContent-type: text/plain\r\n\r\nhi';
const DIALOG_INFO =
  '<?xml version="1.0"?><dialog-info version="1" state="full" entity="sip:a@a.example"><dialog id="1"/></dialog-info>';

const SIGNED =
  'Digest username="u1", realm="a.example", nonce="5f2c", uri="sip:a.example", response="6629fae49393a05397450978507c4ef1", algorithm=SHA-256, qop=auth, nc=00000001, cnonce="0a4f113b"';
const HEAD = [
  'Via: SIP/2.0/UDP 192.0.2.9:5060;branch=z9hG4bK776asdhds;rport, SIP/2.0/TCP [2001:db8::9]:5061;branch=z9hG4bK1;received=192.0.2.1',
  'Max-Forwards: 70',
  'From: "A. \\"B\\", C" <sip:alice@a.example;user=phone>;tag=88sja8x',
  'To: Bob <sip:+4930123456@b.example>',
  'Call-ID: 987asjd97y7atg@192.0.2.9',
];
const CONTACT =
  'Contact: "x" <sip:alice@192.0.2.9:5060;ob>;+sip.instance="<urn:uuid:00000000-0000-1000-8000-000A95A0E128>";reg-id=1;expires=60';

interface Rough {
  readonly uri?: string;
  readonly more?: readonly string[];
  readonly type?: string;
  readonly body?: string;
}

function request(method: string, rough: Rough = {}): string {
  const { uri = 'sip:bob@b.example;transport=udp', more = [], type, body = '' } = rough;
  const kind = type === undefined ? [] : [`Content-Type: ${type}`];
  const lines = [`${method} ${uri} SIP/2.0`, ...HEAD, `CSeq: 4711 ${method}`, CONTACT, ...more, ...kind];
  return [...lines, `Content-Length: ${body.length}`, '', body].join('\r\n');
}

function response(status: number, method: string, more: readonly string[] = [], body = ''): string {
  const head = HEAD.filter((line) => !line.startsWith('Max')).map((line) =>
    line.startsWith('To') ? `${line};tag=a6c85cf` : line,
  );
  const kind = body === '' ? [] : ['Content-Type: application/sdp'];
  const lines = [`SIP/2.0 ${status} Words`, ...head, `CSeq: 4711 ${method}`, CONTACT, ...more, ...kind];
  return [...lines, `Content-Length: ${body.length}`, '', body].join('\r\n');
}

const sdp = { type: 'application/sdp', body: SDP };

export const OWN_MESSAGES: readonly string[] = [
  request('INVITE', {
    ...sdp,
    more: [
      'Supported: timer, 100rel, replaces',
      'Session-Expires: 1800;refresher=uac',
      'Min-SE: 90',
      'Max-Breadth: 60',
    ],
  }),
  request('INVITE', {
    ...{ type: 'multipart/mixed;boundary="limit"', body: MULTIPART },
    more: ['Geolocation: <cid:place@a.example>', `Authorization: ${SIGNED}`],
  }),
  request('INVITE', {
    ...{ uri: 'sip:[2001:db8::9]:5070', type: 'application/sdp', body: SDP_SIX },
    more: [
      'Route: <sip:p.example;lr>, <sip:[2001:db8::1]:5061;transport=tls;lr>',
      'Record-Route: <sip:q.example;lr>',
      'Replaces: x@y;to-tag=1;from-tag=2',
      'P-Asserted-Identity: "A" <sip:+4930@a.example>',
      'Privacy: id;header',
      'Diversion: <sip:c@a.example>;reason=user-busy;counter=1',
      'History-Info: <sip:b@b.example?Reason=SIP%3Bcause%3D302>;index=1.1',
    ],
  }),
  request('INVITE', {
    uri: 'urn:service:sos.fire',
    more: ['Priority: emergency', 'Join: a;to-tag=1;from-tag=2', 'Require: 100rel'],
  }),
  request('ACK', sdp),
  request('BYE', { more: ['Reason: Q.850;cause=16;text="Terminated", SIP;cause=200'] }),
  request('CANCEL', { more: ['Reason: SIP;cause=200;text="Call completed elsewhere"'] }),
  request('PRACK', { more: ['RAck: 776656 4711 INVITE'] }),
  request('UPDATE', { ...sdp, more: ['Session-Expires: 90'] }),
  request('INFO', { type: 'application/dtmf-relay', body: 'Signal=5\r\nDuration=160\r\n' }),
  request('REFER', {
    more: [
      'Refer-To: <sip:c@c.example?Replaces=x%40y%3Bto-tag%3D1%3Bfrom-tag%3D2>',
      'Referred-By: <sip:a@a.example>',
      'Refer-Sub: false',
    ],
  }),
  request('OPTIONS', {
    more: ['Accept: application/sdp, text/*;q=0.5, */*', 'User-Agent: any (thing) at/all'],
  }),
  request('MESSAGE', {
    ...{ type: 'text/plain;charset=UTF-8', body: 'h\xc3\xa9llo' },
    more: ['Expires: 60', 'Date: Sat, 13 Nov 2010 23:29:00 GMT'],
  }),
  request('MESSAGE', { type: 'message/cpim', body: CPIM }),
  request('SUBSCRIBE', { more: ['Event: dialog;id=7', 'Expires: 600', 'Accept: application/dialog-info+xml'] }),
  request('NOTIFY', {
    ...{ type: 'application/dialog-info+xml', body: DIALOG_INFO },
    more: ['Event: dialog', 'Subscription-State: active;expires=599'],
  }),
  request('PUBLISH', { more: ['Event: presence', 'SIP-If-Match: x'] }),
  request('REGISTER', {
    uri: 'sip:a.example',
    more: [`Authorization: ${SIGNED}`, 'Path: <sip:edge.example;lr;ob>', 'Expires: 3600', 'Supported: path, outbound'],
  }),
  request('REGISTER', { uri: 'sip:a.example', more: ['Expires: 0'] }).replace(CONTACT, 'Contact: *'),
  response(100, 'INVITE'),
  response(183, 'INVITE', ['RSeq: 988789', 'Require: 100rel', 'Allow: INVITE, ACK, BYE'], SDP),
  response(
    200,
    'INVITE',
    ['Session-Expires: 1800;refresher=uas', 'Require: timer', 'Record-Route: <sip:p.example;lr>'],
    SDP,
  ),
  response(200, 'REGISTER', ['Flow-Timer: 120', 'Service-Route: <sip:p.example;lr>']),
  response(401, 'INVITE', [
    'WWW-Authenticate: Digest realm="a.example", nonce="1", algorithm=MD5, qop="auth,auth-int", stale=true',
  ]),
  response(407, 'MESSAGE', ['Proxy-Authenticate: Digest realm="a.example", nonce="1", algorithm=SHA-256']),
  response(302, 'INVITE', ['Diversion: <sip:b@b.example>;reason=unconditional']),
  response(422, 'INVITE', ['Min-SE: 300']),
  response(503, 'INVITE', [
    'Retry-After: 18000;duration=3600',
    'Warning: 307 a.example "Session parameter \'foo\' not understood"',
  ]),
  response(481, 'BYE'),
  response(606, 'UPDATE'),
];
