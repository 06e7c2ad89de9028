import { describe, expect, it } from 'vitest';
import { newRequest } from './message.ts';
import { byPhone, outboundOf } from './outbound.ts';
import { type Bindings, register } from './registrar.ts';

const VIA = 'SIP/2.0/TCP 192.0.2.1;branch=z9hG4bKa';
const PROXY = 'SIP/2.0/TCP 192.0.2.9;branch=z9hG4bKp';
const INSTANCE = '+sip.instance="<urn:uuid:00000000-0000-1000-8000-AABBCCDDEEFF>"';

interface Ask {
  readonly contact?: string;
  readonly supported?: string;
  readonly vias?: readonly string[];
  readonly path?: readonly string[];
  readonly cseq?: number;
}

function request({ contact = `<sip:a@192.0.2.1>;${INSTANCE};reg-id=1`, ...rest }: Ask = {}) {
  const { supported = 'path, outbound', vias = [VIA], path = [], cseq = 1 } = rest;
  return newRequest('REGISTER', 'sip:h', [
    ...vias.map((via): [string, string] => ['Via', via]),
    ['To', '<sip:a@h>'],
    ['Call-ID', 'c'],
    ['CSeq', `${cseq} REGISTER`],
    ['Contact', contact],
    ['Supported', supported],
    ...path.map((one): [string, string] => ['Path', one]),
  ]);
}

describe('what a REGISTER asks of outbound (RFC 5626 section 6)', () => {
  it.each<[string, Ask, ReturnType<typeof outboundOf>]>([
    ['a flow that is named, straight to us', {}, 'used'],
    ['no instance', { contact: '<sip:a@192.0.2.1>;reg-id=1' }, 'none'],
    ['no number', { contact: `<sip:a@192.0.2.1>;${INSTANCE}` }, 'none'],
    ['the number 0', { contact: `<sip:a@192.0.2.1>;${INSTANCE};reg-id=0` }, 'none'],
    ['a number above 2^31 - 1', { contact: `<sip:a@192.0.2.1>;${INSTANCE};reg-id=2147483648` }, 'none'],
    ['a phone that does not know it', { supported: 'path' }, 'none'],
    ['a first hop that keeps flows', { vias: [PROXY, VIA], path: ['<sip:t@p;lr;ob>'] }, 'used'],
    ['a first hop that does not', { vias: [PROXY, VIA], path: ['<sip:p;lr>'] }, 'first-hop-lacks-it'],
    ['a first hop without Path', { vias: [PROXY, VIA] }, 'first-hop-lacks-it'],
    ['only a later hop that does', { vias: [PROXY, VIA], path: ['<sip:x;lr;ob>', '<sip:p;lr>'] }, 'first-hop-lacks-it'],
  ])('%s', (_what, asked, answer) => {
    expect(outboundOf(request(asked))).toBe(answer);
  });
});

describe('the registrar', () => {
  const run = (bindings: Bindings, asked: Ask, flow = 'f1') =>
    register(bindings, request(asked), 0, { flow, flowTimer: 120 });

  it('says that it used it, and how long a flow may be silent', () => {
    expect(run([], {}).headers).toEqual([
      ['Require', 'outbound'],
      ['Flow-Timer', '120'],
    ]);
    expect(run([], { supported: 'path' }).headers).toEqual([]);
  });

  it('refuses with 439 what the first hop cannot give, and changes nothing', () => {
    const bindings: Bindings = [];
    expect(run(bindings, { vias: [PROXY, VIA] })).toMatchObject({
      status: 439,
      reason: 'First Hop Lacks Outbound Support',
    });
    expect(bindings).toEqual([]);
  });

  it('refuses several contacts where one names a flow, but for those that are taken back (section 6)', () => {
    const bindings: Bindings = [];
    const contact = (rest: string) => `<sip:a@192.0.2.1>;${INSTANCE};reg-id=1, <sip:b@192.0.2.2>${rest}`;
    expect(run(bindings, { contact: contact('') })).toMatchObject({
      status: 400,
      reason: 'Flow Beside Other Contacts',
    });
    expect(bindings).toEqual([]);
    expect(run(bindings, { contact: contact(';expires=0') }).status).toBe(200);
    expect(bindings).toHaveLength(1);
    // Without outbound the number is nothing.
    expect(run(bindings, { cseq: 2, supported: 'path', contact: contact('') }).status).toBe(200);
  });

  it('takes a new flow of the same number in place of the old, whatever its URI; without outbound the number is nothing', () => {
    const bindings: Bindings = [];
    run(bindings, {});
    run(bindings, { cseq: 2, contact: `<sip:a@192.0.2.1:9>;${INSTANCE};reg-id=1` }, 'f2');
    expect(bindings.map(({ flow }) => flow)).toEqual(['f2']);
    run(bindings, { cseq: 3, supported: 'path', contact: `<sip:a@192.0.2.1:8>;${INSTANCE};reg-id=1` }, 'f3');
    expect(bindings.map(({ flow, params }) => [flow, params.get('reg-id')])).toEqual([
      ['f2', '1'],
      ['f3', undefined],
    ]);
  });
});

describe('the ways to phones', () => {
  const way = (name: string, expiresAt: number, instance?: string, id?: string) => ({
    name,
    expiresAt,
    params: new Map<string, string | undefined>([
      ...(instance === undefined ? [] : [['+sip.instance', instance] as const]),
      ...(id === undefined ? [] : [['reg-id', id] as const]),
    ]),
  });

  it('are one list per instance, the latest first, and one for each contact without a flow', () => {
    const ways = [way('a', 1, 'x', '1'), way('b', 5), way('c', 3, 'x', '2'), way('d', 2, 'y', '1'), way('e', 9, 'x')];
    expect(byPhone(ways).map((phone) => phone.map(({ name }) => name))).toEqual([['c', 'a'], ['b'], ['d'], ['e']]);
  });
});
