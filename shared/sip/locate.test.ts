import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { answerFrom, type ZoneRecord } from '#test/support/dns-zone.ts';
import { type DnsAnswer, type DnsType, readAnswer, writeQuestion } from './dns-message.ts';
import { type Hop, type LocateOptions, locate, ordered } from './locate.ts';
import { parseUri } from './uri.ts';

const ZONE: Readonly<Record<string, readonly ZoneRecord[]>> = {
  // The example of RFC 3263 section 4.1, with the names of RFC 2606.
  'example.com': [
    { type: 'NAPTR', data: '90 50 s SIP+D2T _sip._tcp.example.com' },
    { type: 'NAPTR', data: '50 50 s SIPS+D2T _sips._tcp.example.com' },
    { type: 'NAPTR', data: '100 50 s SIP+D2U _sip._udp.example.com' },
    { type: 'NAPTR', data: '10 50 s SIP+D2S _sip._sctp.example.com' },
    { type: 'A', data: '192.0.2.9' },
  ],
  '_sips._tcp.example.com': [{ type: 'SRV', data: '1 0 5071 tls.example.com' }],
  '_sip._tcp.example.com': [
    { type: 'SRV', data: '2 0 5060 b.example.com' },
    { type: 'SRV', data: '1 0 5060 a.example.com' },
  ],
  '_sip._udp.example.com': [{ type: 'SRV', data: '0 0 5080 a.example.com' }],
  'a.example.com': [{ type: 'A', data: '192.0.2.1' }],
  'b.example.com': [
    { type: 'CNAME', data: 'c.example.com' },
    { type: 'AAAA', data: '2001:db8:0:0:0:0:0:1' },
  ],
  'c.example.com': [{ type: 'A', data: '192.0.2.2' }],
  'tls.example.com': [{ type: 'A', data: '192.0.2.3' }],
  'plain.example': [
    { type: 'A', data: '192.0.2.5' },
    { type: 'AAAA', data: '2001:db8:0:0:0:0:0:5' },
  ],
  'srv.example': [{ type: 'A', data: '192.0.2.6' }],
  '_sip._tcp.srv.example': [{ type: 'SRV', data: '0 0 5062 a.example.com' }],
  'away.example': [{ type: 'A', data: '192.0.2.7' }],
  '_sip._udp.away.example': [{ type: 'SRV', data: '0 0 0 .' }],
  'other.example': [
    { type: 'NAPTR', data: '10 50 u E2U+mailto !.*!mailto:x@y! .' },
    { type: 'A', data: '192.0.2.10' },
  ],
  'sctp.example': [
    { type: 'NAPTR', data: '10 50 s SIP+D2S _sip._sctp.sctp.example' },
    { type: 'A', data: '192.0.2.11' },
  ],
  'half.example': [
    { type: 'NAPTR', data: '10 50 s SIP+D2T _sip._tcp.half.example' },
    { type: 'A', data: '192.0.2.12' },
  ],
  'two.example': [{ type: 'A', data: '192.0.2.13' }],
  '_sip._udp.two.example': [{ type: 'SRV', data: '0 0 5080 a.example.com' }],
};

const lookup: LocateOptions['lookup'] = async (name, type) => {
  const question = writeQuestion(7, name, type) ?? new Uint8Array();
  const answer = readAnswer(answerFrom(ZONE, question), 7, name, type);
  if (answer === undefined) throw new Error(`no answer for ${type} ${name}`);
  return answer;
};

const FAILED: DnsAnswer = { outcome: 'failed', records: [], ttl: 0 };
const V4 = 'udp 192.0.2.5 5060';

async function find(text: string, more: Partial<LocateOptions> = {}): Promise<string[]> {
  const uri = parseUri(text);
  if (uri === undefined) throw new Error(text);
  const options: LocateOptions = {
    lookup,
    fraction: () => 0,
    protocols: ['udp', 'tcp', 'tls'],
    families: [4, 6],
    ...more,
  };
  return (await locate(uri, options)).map(({ protocol, host, port }: Hop) => `${protocol} ${host} ${port}`);
}

describe('the servers of a URI (RFC 3263 section 4)', () => {
  it.each<[string, string, string[]]>([
    ['an address', 'sip:x@192.0.2.77', ['udp 192.0.2.77 5060']],
    ['an IPv6 address', 'sip:x@[2001:db8::7]', ['udp 2001:db8::7 5060']],
    ['an address and port', 'sip:x@192.0.2.77:5099;transport=tcp', ['tcp 192.0.2.77 5099']],
    ['an address with sips', 'sips:x@192.0.2.77', ['tls 192.0.2.77 5061']],
    ['maddr', 'sip:x@example.com;maddr=192.0.2.78', ['udp 192.0.2.78 5060']],
    ['a name and port: no NAPTR, no SRV', 'sip:x@example.com:5099', ['udp 192.0.2.9 5099']],
    [
      'a name: NAPTR in its order, then SRV by priority',
      'sip:x@example.com',
      ['tls 192.0.2.3 5071', 'tcp 192.0.2.1 5060', 'tcp 192.0.2.2 5060', 'tcp 2001:db8::1 5060', 'udp 192.0.2.1 5080'],
    ],
    ['sips: nothing but TLS', 'sips:x@example.com', ['tls 192.0.2.3 5071']],
    ['a transport: its SRV at once', 'sip:x@example.com;transport=udp', ['udp 192.0.2.1 5080']],
    ['sips with tcp is TLS', 'sips:x@example.com;transport=tcp', ['tls 192.0.2.3 5071']],
    ['no NAPTR: SRV of what we speak', 'sip:x@srv.example', ['tcp 192.0.2.1 5062']],
    ['no NAPTR, no SRV: addresses', 'sip:x@plain.example', ['udp 192.0.2.5 5060', 'udp 2001:db8::5 5060']],
    ['the same with sips', 'sips:x@plain.example', ['tls 192.0.2.5 5061', 'tls 2001:db8::5 5061']],
    ['a service that is decidedly not there', 'sip:x@away.example', []],
    ['a name that nobody knows', 'sip:x@nowhere.example', []],
    ['a transport that nobody speaks', 'sip:x@example.com;transport=sctp', []],
    ['UDP with sips', 'sips:x@example.com;transport=udp', []],
  ])('%s', async (_what, uri, hops) => {
    expect(await find(uri)).toEqual(hops);
  });

  it.each<[string, string, string[], string[]]>([
    ['of SRV, by every protocol: no address', 'sip:x@plain.example', ['SRV'], []],
    ['of SRV, with a transport: no address', 'sip:x@plain.example;transport=tcp', ['SRV'], []],
    ['of SRV, with sips: no address', 'sips:x@plain.example', ['SRV'], []],
    [
      'of NAPTR: SRV, and addresses where there is none',
      'sip:x@plain.example',
      ['NAPTR'],
      [V4, 'udp 2001:db8::5 5060'],
    ],
    ['of NAPTR: SRV where it is', 'sip:x@srv.example', ['NAPTR'], ['tcp 192.0.2.1 5062']],
    ['of one SRV among others: those others', 'sip:x@two.example', ['_sips._tcp'], ['udp 192.0.2.1 5080']],
    ['of the only SRV: no address', 'sip:x@two.example', ['_sip._udp'], []],
    ['of SRV that NAPTR named: no address', 'sips:x@example.com', ['SRV'], []],
    ['of one kind of address: the other kind', 'sip:x@plain.example', ['AAAA'], [V4]],
    ['of nothing that a port needs', 'sip:x@plain.example:5070', ['SRV', 'NAPTR', 'AAAA'], ['udp 192.0.2.5 5070']],
  ])('a failed look-up (RFC 3263 section 4) %s', async (_what, uri, failing, hops) => {
    const broken: LocateOptions['lookup'] = async (name, type) =>
      failing.some((one) => one === type || name.startsWith(one)) ? FAILED : lookup(name, type);
    expect(await find(uri, { lookup: broken })).toEqual(hops);
  });

  it.each<[string, string, string[]]>([
    ['that are not of SIP: as if there were none', 'sip:x@other.example', ['udp 192.0.2.10 5060']],
    ['for a protocol that we do not speak: there is no way', 'sip:x@sctp.example', []],
    ['without SIPS for a SIPS URI: there is no way', 'sips:x@half.example', []],
    ['whose SRV is not there: addresses, by its protocol', 'sip:x@half.example', ['tcp 192.0.2.12 5060']],
  ])('NAPTR records %s', async (_what, uri, hops) => {
    expect(await find(uri)).toEqual(hops);
  });

  it('only over what we speak, and to addresses that we reach', async () => {
    expect(await find('sip:x@example.com', { protocols: ['udp'] })).toEqual(['udp 192.0.2.1 5080']);
    expect(await find('sip:x@example.com;transport=tcp', { protocols: ['udp'] })).toEqual([]);
    expect(await find('sips:x@plain.example', { protocols: ['udp', 'tcp'] })).toEqual([]);
    expect(await find('sip:x@plain.example', { families: [6] })).toEqual(['udp 2001:db8::5 5060']);
  });

  it('keeps the name that a certificate must hold (RFC 5922)', async () => {
    const uri = parseUri('sips:x@Example.com');
    if (uri === undefined) throw new Error('no URI');
    const [hop] = await locate(uri, { lookup, fraction: () => 0, protocols: ['tls'], families: [4] });
    expect(hop).toMatchObject({ host: '192.0.2.3', serverName: 'example.com' });
  });
});

describe('weights (RFC 2782)', () => {
  const record = (target: string, weight: number, priority = 1) => ({ priority, weight, port: 1, target });

  it('are chances: over many draws each comes first as often as its weight says', () => {
    const all = [record('a', 10), record('b', 60), record('c', 30), record('z', 100, 2)];
    const first: Record<string, number> = { a: 0, b: 0, c: 0 };
    const draws = 10_000;
    for (let i = 0; i < draws; i++) {
      // Even steps over [0, 1) in place of chance.
      const [one, ...rest] = ordered(all, () => i / draws);
      first[one?.target ?? ''] = (first[one?.target ?? ''] ?? 0) + 1;
      expect(rest.at(-1)?.target).toBe('z');
    }
    expect(first.a).toBeGreaterThan(900);
    expect(first.a).toBeLessThan(1200);
    expect(first.b).toBeGreaterThan(5700);
    expect(first.c).toBeGreaterThan(2800);
  });

  it.each([
    [1, 1, 500],
    [1, 3, 250],
    [0, 99, 10],
  ])('%i beside %i comes first as often as it should', (one, other, expected) => {
    const all = [record('a', one), record('b', other)];
    const firsts = Array.from({ length: 1_000 }, (_, i) => ordered(all, () => i / 1_000)[0]?.target);
    expect(firsts.filter((target) => target === 'a')).toHaveLength(expected);
  });

  it('order loses nothing and keeps priorities, whatever the weights', () => {
    const one = fc.record({
      priority: fc.nat(3),
      weight: fc.nat(65_535),
      port: fc.nat(65_535),
      target: fc.constantFrom('a', 'b'),
    });
    fc.assert(
      fc.property(
        fc.array(one, { maxLength: 12 }),
        fc.double({ min: 0, max: 0.999, noNaN: true }),
        (records, chance) => {
          const result = ordered(records, () => chance);
          expect(result).toHaveLength(records.length);
          expect(new Set(result)).toEqual(new Set(records));
          expect(result.map(({ priority }) => priority)).toEqual(records.map(({ priority }) => priority).sort());
        },
      ),
    );
  });
});

describe('DNS messages', () => {
  const ask = (type: DnsType = 'A', name = 'a.example.com') => writeQuestion(258, name, type) ?? new Uint8Array();

  it.each([
    ['another id', (data: Uint8Array) => data.with(1, 9), 'a.example.com'],
    ['a question', (data: Uint8Array) => data.with(2, 1), 'a.example.com'],
    ['another name', (data: Uint8Array) => data, 'b.example.com'],
    ['a name that leads to itself', (data: Uint8Array) => data.with(31, 0xc0).with(32, 31), 'a.example.com'],
    ['an end too soon', (data: Uint8Array) => data.slice(0, -2), 'a.example.com'],
  ])('%s is no answer', (_what, change, name) => {
    const data = Uint8Array.from(change(answerFrom(ZONE, ask())));
    expect(readAnswer(data, 258, name, 'A')).toBeUndefined();
  });

  it('say what is not there, what failed, and what did not fit', () => {
    const outcome = (data: Uint8Array, name = 'a.example.com', type: DnsType = 'A') =>
      readAnswer(data, 258, name, type)?.outcome;
    expect(outcome(answerFrom(ZONE, ask('A', 'x.example')), 'x.example')).toBe('none');
    expect(outcome(answerFrom(ZONE, ask('SRV')), 'a.example.com', 'SRV')).toBe('none');
    expect(outcome(answerFrom(ZONE, ask(), 0x8182))).toBe('failed');
    expect(outcome(answerFrom(ZONE, ask(), 0x8380))).toBe('cut');
  });

  it.each(['', 'a..b', 'a b', `${'x'.repeat(64)}.com`, `${'x.'.repeat(127)}x`])(
    'there is no question for %j',
    (name) => {
      expect(writeQuestion(1, name, 'A')).toBeUndefined();
    },
  );

  it('any octets are an answer or none, never an exception', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), fc.nat(100), (noise, at) => {
        const data = answerFrom(ZONE, ask('NAPTR', 'example.com'));
        data.set(noise.subarray(0, Math.max(0, data.length - at)), Math.min(at, data.length));
        readAnswer(data, 258, 'example.com', 'NAPTR');
        readAnswer(noise, 258, 'example.com', 'NAPTR');
      }),
    );
  });
});
