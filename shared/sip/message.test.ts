import { describe, expect, it } from 'vitest';
import { HEADERS, headerKind } from './headers.ts';
import { newRequest, newResponse, reasonPhrase, type SipMessage, writeVia } from './message.ts';
import { parse } from './parse.ts';
import { deltaSeconds } from './scalars.ts';
import { parseVia } from './via.ts';
import { write } from './write.ts';

const LINES: [string, string][] = [
  ['Via', 'SIP/2.0/TCP [2001:db8::1]:5060;branch=z9hG4bK1, SIP/2.0/UDP b.example'],
  ['v', 'SIP/2.0/UDP c.example;received=192.0.2.9'],
  ['From', '"Alice, A." <sip:alice@a.example>;tag=1'],
  ['To', '<sip:bob@b.example>'],
  ['Call-ID', 'x@y'],
  ['CSeq', '7 INVITE'],
  ['Record-Route', '<sip:p1.example;lr>, <sip:p2.example;lr>'],
  ['Contact', '<sip:alice@192.0.2.1>;expires=5, "x,y" <sip:b@h>'],
  ['X-Own', 'a, b'],
  ['Timestamp', '54'],
];
const request = (): SipMessage => newRequest('INVITE', 'sip:bob@b.example', LINES, 'body');

describe('header fields', () => {
  it('are found by any spelling of their name', () => {
    const message = request();
    expect(message.header('call-id')).toBe('x@y');
    expect(message.header('I')).toBe('x@y');
    expect(message.header('CALL-ID')).toBe('x@y');
    expect(message.header('x-OWN')).toBe('a, b');
    expect(message.header('X-Other')).toBeUndefined();
    expect(message.header('Expires')).toBeUndefined();
  });

  it('are lists where the grammar says so', () => {
    const message = request();
    expect(message.headerAll('via')).toEqual([
      'SIP/2.0/TCP [2001:db8::1]:5060;branch=z9hG4bK1',
      'SIP/2.0/UDP b.example',
      'SIP/2.0/UDP c.example;received=192.0.2.9',
    ]);
    expect(message.headerAll('m')).toEqual(['<sip:alice@192.0.2.1>;expires=5', '"x,y" <sip:b@h>']);
    expect(message.headerAll('X-Own')).toEqual(['a, b']);
    expect(message.headerAll('Route')).toEqual([]);
  });

  it('can be set, added, put in front and removed', () => {
    const message = newRequest('OPTIONS', 'sip:h', [
      ['XA', '1'],
      ['Via', 'one'],
      ['XB', '2'],
      ['v', 'two'],
    ]);
    message.prepend('Via', 'zero');
    expect(message.headerAll('Via')).toEqual(['zero', 'one', 'two']);
    message.set('VIA', 'only');
    expect(write(message)).toBe('OPTIONS sip:h SIP/2.0\r\nXA: 1\r\nVia: only\r\nXB: 2\r\nContent-Length: 0\r\n\r\n');
    message.add('xb', '3');
    message.remove('xa');
    message.set('Subject', 'x');
    message.prepend('First', 'y');
    expect(message.headerAll('XB')).toEqual(['2', '3']);
    expect(message.fields.map(({ name }) => name)).toEqual(['First', 'Via', 'XB', 'xb', 'Subject']);
    message.remove('XB');
    expect(message.headerAll('xb')).toEqual([]);
  });

  it('keep the other values when the first one is replaced', () => {
    const message = request();
    message.setFirst('Via', 'SIP/2.0/UDP z.example');
    expect(message.vias.map(({ host }) => host)).toEqual(['z.example', 'b.example', 'c.example']);
    message.setFirst('Via', undefined);
    expect(message.vias.map(({ host }) => host)).toEqual(['b.example', 'c.example']);
    message.setFirst('Timestamp', undefined);
    expect(message.header('Timestamp')).toBeUndefined();
    message.add('x-own', 'c');
    message.setFirst('X-Own', 'z');
    expect(message.headerAll('X-Own')).toEqual(['z', 'c']);
  });

  it('go out as UTF-8 where they hold more than octets', () => {
    const message = newRequest('OPTIONS', 'sip:h', [['Subject', 'Zo\u00eb \u4e2d']]);
    expect(message.header('Subject')).toBe('Zo\xc3\xab \xe4\xb8\xad');
    message.set('Subject', 'Zo\xc3\xab');
    expect(message.header('Subject')).toBe('Zo\xc3\xab');
  });

  it('cannot smuggle another line in', () => {
    const message = newRequest('OP\r\nX: 1', 'sip:h\r\nX: 2', [['XA', 'x\r\nB: y\0']]);
    message.set('C\nD', ' z\n ');
    const lines = write(message).split('\r\n');
    expect(lines).toEqual(['OP  X: 1 sip:h  X: 2 SIP/2.0', 'XA: x  B: y', 'C D: z', 'Content-Length: 0', '', '']);
  });
});

describe('structured values', () => {
  it('are read on demand and follow changes', () => {
    const message = request();
    expect(message.topVia).toMatchObject({ transport: 'TCP', host: '2001:db8::1', port: 5060 });
    expect(message.vias).toHaveLength(3);
    expect(message.from).toEqual({ display: 'Alice, A.', uri: 'sip:alice@a.example', params: new Map([['tag', '1']]) });
    expect(message.to.params.has('tag')).toBe(false);
    message.set('To', `${message.header('To')};tag=9`);
    expect(message.to.params.get('tag')).toBe('9');
    expect(message.cseq).toEqual({ n: 7, method: 'INVITE' });
    message.set('CSeq', '8 INVITE');
    expect(message.cseq.n).toBe(8);
    expect(message.callId).toBe('x@y');
    message.set('i', 'other');
    expect(message.callId).toBe('other');
    expect(message.contacts.map(({ uri }) => uri)).toEqual(['sip:alice@192.0.2.1', 'sip:b@h']);
    message.set('Contact', '*');
    expect(message.contactStar).toBe(true);
    expect(message.contacts).toEqual([]);
    expect(message.recordRoutes.map(({ uri }) => uri)).toEqual(['sip:p1.example;lr', 'sip:p2.example;lr']);
    expect(message.routes).toEqual([]);
    message.prepend('Via', 'SIP/2.0/UDP new.example');
    expect(message.topVia?.host).toBe('new.example');
  });

  it.each<[string, string[], string | undefined]>([
    ['the first of a list', ['SIP/2.0/UDP a, SIP/2.0/UDP b'], 'a'],
    ['the first line', ['SIP/2.0/UDP a;branch=1', 'SIP/2.0/UDP b'], 'a'],
    ['what is readable of the first', ['SIP/2.0/UDP a:5062;;,;,,', 'SIP/2.0/UDP b'], 'a'],
    ['never another than the first', ['nonsense', 'SIP/2.0/UDP b'], undefined],
    ['nothing where there is none', [], undefined],
  ])('the top Via is %s', (_, values, host) => {
    const message = newRequest(
      'OPTIONS',
      'sip:h',
      values.map((value) => ['Via', value]),
    );
    expect(message.topVia?.host).toBe(host);
    message.set('Via', 'SIP/2.0/TCP z');
    expect(message.topVia?.host).toBe('z');
  });

  it('are empty where the message has none', () => {
    const message = newRequest('OPTIONS', 'sip:h', [
      ['From', '"open'],
      ['CSeq', 'x'],
    ]);
    expect(message.from.uri).toBe('');
    expect(message.to.uri).toBe('');
    expect(message.cseq).toEqual({ n: 0, method: '' });
    expect(message.callId).toBe('');
    expect(message.topVia).toBeUndefined();
    expect(message.expires).toBeUndefined();
    expect(message.maxForwards).toBeUndefined();
    expect(message.contactStar).toBe(false);
  });

  it.each([
    ['0', 0],
    ['3600', 3600],
    ['4294967296', 4_294_967_295],
    ['280297596632815', 4_294_967_295],
    ['-1', undefined],
    ['1h', undefined],
    ['', undefined],
  ])('delta-seconds %j', (text, expected) => {
    expect(deltaSeconds(text)).toBe(expected);
    expect(newRequest('OPTIONS', 'sip:h', [['Expires', text]]).expires).toBe(expected);
  });
});

describe('newResponse', () => {
  it('copies what RFC 3261 section 8.2.6.2 says, in order', () => {
    const response = newResponse(request(), 180, undefined, [['Server', 'x']]);
    expect(write(response)).toBe(
      [
        'SIP/2.0 180 Ringing',
        `Via: ${LINES[0]?.[1]}`,
        `Via: ${LINES[1]?.[1]}`,
        `From: ${LINES[2]?.[1]}`,
        'To: <sip:bob@b.example>',
        'Call-ID: x@y',
        'CSeq: 7 INVITE',
        `Record-Route: ${LINES[6]?.[1]}`,
        'Server: x',
        'Content-Length: 0',
        '',
        '',
      ].join('\r\n'),
    );
    expect(response.method).toBe('INVITE');
    expect(response.kind).toBe('response');
  });

  it('says once what a damaged request says many times, so that the refusal can be read', () => {
    const many: [string, string][] = ['From', 'To', 'Call-ID', 'CSeq'].flatMap((name) =>
      new Array<[string, string]>(90).fill([name, name === 'CSeq' ? '7 INVITE' : '<sip:a@a.example>']),
    );
    const answer = write(newResponse(newRequest('INVITE', 'sip:h', [...LINES, ...many]), 400));
    expect(parse(answer).ok).toBe(true);
    const ways = new Array<[string, string]>(256).fill(['Via', 'SIP/2.0/UDP h;branch=z9hG4bK1']);
    expect(parse(write(newResponse(newRequest('INVITE', 'sip:h', [...ways, ...LINES]), 400))).ok).toBe(true);
    for (const name of ['From', 'To', 'Call-ID', 'CSeq']) expect(answer.split(`\r\n${name}: `)).toHaveLength(2);
  });

  it('has Record-Route only where a dialog may come, Timestamp only in 100', () => {
    const of = (status: number): SipMessage => newResponse(request(), status);
    expect(of(486).header('Record-Route')).toBeUndefined();
    expect(of(100).header('Record-Route')).toBeUndefined();
    expect(of(100).header('Timestamp')).toBe('54');
    expect(of(200).header('Timestamp')).toBeUndefined();
    expect(of(299).header('Record-Route')).toBeDefined();
    expect(newResponse(newRequest('BYE', 'sip:h', LINES), 200).header('Record-Route')).toBeUndefined();
    expect(newResponse(request(), 200, 'Fine\r\nX: y').reason).toBe('Fine  X: y');
  });

  it.each([
    [200, 'OK'],
    [486, 'Busy Here'],
    [299, 'OK'],
    [499, 'Request Failure'],
    [999, 'Unknown'],
  ])('%i has the phrase %s', (status, phrase) => {
    expect(reasonPhrase(status)).toBe(phrase);
  });
});

describe('clone', () => {
  it('changes apart from the original', () => {
    const message = request();
    const copy = message.clone();
    copy.set('To', '<sip:other@h>');
    copy.uri = 'sip:elsewhere';
    expect(message.to.uri).toBe('sip:bob@b.example');
    expect(message.uri).toBe('sip:bob@b.example');
    expect(copy.to.uri).toBe('sip:other@h');
    expect(copy.method).toBe('INVITE');
    expect(copy.body).toBe('body');
  });
});

describe('Via', () => {
  it.each<[string, string, string, number | undefined, string]>([
    ['SIP/2.0/UDP h', 'UDP', 'h', undefined, 'SIP/2.0/UDP h'],
    ['SIP/2.0/udp H:5060;rport', 'UDP', 'h', 5060, 'SIP/2.0/UDP h:5060;rport'],
    [
      'SIP  /   2.0 / TCP spindle.example.com : 5061 ; branch = z',
      'TCP',
      'spindle.example.com',
      5061,
      'SIP/2.0/TCP spindle.example.com:5061;branch=z',
    ],
    [
      'SIP/2.0/TLS [2001:DB8::9:1];received=[2001:db8::9:255]',
      'TLS',
      '2001:db8::9:1',
      undefined,
      'SIP/2.0/TLS [2001:db8::9:1];received=[2001:db8::9:255]',
    ],
    [
      'SIP/2.0/UDP [2001:db8::9:1];received=2001:db8::9:255',
      'UDP',
      '2001:db8::9:1',
      undefined,
      'SIP/2.0/UDP [2001:db8::9:1];received=2001:db8::9:255',
    ],
    ['SIP/2.0/UNKNOWN h', 'UNKNOWN', 'h', undefined, 'SIP/2.0/UNKNOWN h'],
  ])('%s', (text, transport, host, port, written) => {
    const via = parseVia(text);
    expect(via).toMatchObject({ protocol: 'SIP/2.0', transport, host, port });
    expect(via && writeVia(via)).toBe(written);
  });

  it.each([
    '',
    'SIP/2.0',
    'SIP/2.0/UDP',
    'SIP/2.0/UDP ',
    'SIP/2.0/UDP a b',
    'SIP/2.0/UDP h:',
    'SIP/2.0/UDP h;;',
    'SIP/2.0/U@P h',
    'SIP/2.0/UDP [::1',
    'SIP/2.0/UDP ;branch=x',
    'SIP/2.0/UDP h;branch=x;branch=y',
    'SIP/2.0/UDP h;received=a;received=b',
    'SIP/2.0/UDP h;rport;branch=x;rport=1',
    'SIP/2.0/UDP h;rport=',
  ])('refuses %j', (text) => {
    expect(parseVia(text)).toBeUndefined();
  });
});

describe('header table', () => {
  it('has each name and compact form once, with matching ids', () => {
    expect(new Set(HEADERS.map(({ lower }) => lower)).size).toBe(HEADERS.length);
    for (const kind of HEADERS) {
      expect(headerKind(kind.name.toUpperCase())).toBe(kind);
      expect(HEADERS[kind.id - 1]).toBe(kind);
    }
  });

  it.each([
    ...['a Accept-Contact', 'b Referred-By', 'c Content-Type', 'd Request-Disposition', 'e Content-Encoding', 'f From'],
    ...['i Call-ID', 'j Reject-Contact', 'k Supported', 'l Content-Length', 'm Contact', 'o Event', 'r Refer-To'],
    ...['s Subject', 't To', 'u Allow-Events', 'v Via', 'x Session-Expires', 'y Identity'],
  ])('compact form %s', (row) => {
    const [compact, name] = row.split(' ');
    expect(headerKind(compact ?? '')?.name).toBe(name);
  });

  it('is not filled by strange spellings', () => {
    const letters = 'max-forwards';
    for (let i = 0; i < 4096; i++) {
      const spelled = [...letters].map((c, at) => ((i >> at) & 1 ? c.toUpperCase() : c)).join('');
      expect(headerKind(spelled)?.name).toBe('Max-Forwards');
    }
    expect(headerKind('constructor')).toBeUndefined();
    expect(headerKind('__proto__')).toBeUndefined();
  });
});
