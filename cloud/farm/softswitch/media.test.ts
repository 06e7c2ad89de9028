import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Peer } from '#shared/kernel/world.ts';
import { parseSdp } from '#shared/sip/sdp.ts';
import type { Flow } from '#shared/sip/types.ts';
import { seed } from '#test/support/seed.ts';
import { rtpHost, sourceFlow } from './media.ts';

/** By the description as a whole, without the look at what is usual. */
function byParts(sdp: string): string | undefined {
  const session = parseSdp(sdp);
  const media = session?.media.find((one) => one.port !== 0);
  return session === undefined || media === undefined ? undefined : session.connectionOf(media);
}

const line = fc.constantFrom(
  ...[
    'v=0',
    'o=- 1 1 IN IP4 10.0.0.9',
    'o=- 1 1 IN IP4',
    'o=- 1 1 IN  IP4 10.0.0.9',
    's=-',
    't=0 0',
    'a=sendrecv',
    'b=AS:64',
  ],
  ...[
    'c=IN IP4 10.0.0.2',
    'c=IN IP6 fd00::2',
    'c=IN IP4 224.2.1.1/127',
    'c=IN IP4',
    'c=ATM x y',
    'c=IN IP4 10.0.0.3 x',
  ],
  ...['m=audio 4000 RTP/AVP 0 8', 'm=audio 0 RTP/AVP 0', 'm=video 4002 RTP/AVP 96', 'm=audio 70000 RTP/AVP 0'],
  ...[
    'm=audio 65000 RTP/AVP 0',
    'm=audio 4000 RTP/AVP',
    'm=audio 4000 RTP/AVP ',
    'm=audio x RTP/AVP 0',
    'junk',
    '',
    'X=1',
    'm=',
  ],
);
const usual = ['v=0', 'o=- 1 1 IN IP4 10.0.0.9', 's=-', 'c=IN IP4 10.0.0.2', 't=0 0', 'm=audio 4000 RTP/AVP 0', 'a=x'];

test('where a description wants its sound is what reading all of it says', () => {
  expect(rtpHost(`${usual.join('\r\n')}\r\n`)).toBe('10.0.0.2');
  const end = fc.constantFrom('\r\n', '\n', '', '\r');
  const places = fc.array(fc.tuple(fc.nat(usual.length), fc.nat(1), line), { maxLength: 4 });
  fc.assert(
    fc.property(places, end, end, (changes, between, last) => {
      const lines = [...usual];
      for (const [at, replaced, text] of changes) lines.splice(at, replaced, text);
      const sdp = `${lines.join(between === '' ? '\r\n' : between)}${last}`;
      expect(rtpHost(sdp)).toBe(byParts(sdp));
    }),
    { numRuns: 2_000, seed },
  );
});

test('the sound of a gateway follows it to a flow over which it proved itself, and to no other', () => {
  const proof = {
    kind: 'certificate',
    subject: 'gw_1',
    keyHash: '',
    trusted: true,
    selfSigned: false,
    serial: '1',
  } as const;
  const over = (id: string, host: string, peer: Peer): Flow => ({
    id,
    protocol: 'tls',
    local: { host: '10.0.0.1', port: 5061 },
    remote: { host, port: 40_000 },
    peer,
  });
  const first = over('1', '203.0.113.1', proof);
  const chosen = (gateway: string | undefined, now: Flow | undefined) => sourceFlow(first, gateway, now)?.remote.host;
  expect(chosen('gw_1', over('2', '203.0.113.7', proof))).toBe('203.0.113.7');
  expect(chosen('gw_1', undefined)).toBe('203.0.113.1');
  expect(chosen('gw_1', over('2', '203.0.113.7', { kind: 'none' }))).toBe('203.0.113.1');
  expect(chosen('gw_1', over('2', '203.0.113.7', { ...proof, subject: 'gw_2' }))).toBe('203.0.113.1');
  expect(chosen('gw_1', over('2', '203.0.113.7', { ...proof, trusted: false }))).toBe('203.0.113.1');
  expect(chosen(undefined, over('2', '203.0.113.7', proof))).toBe('203.0.113.1');
});
