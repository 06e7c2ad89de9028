import fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import { seed } from '#test/support/seed.ts';
import { answerLike, isFax, offerLike, readEnd } from './fax.ts';
import { parseSdp } from './sdp.ts';

const local = { address: { host: '192.0.2.9', port: 4000 }, sessionId: 7 };
const described = (...media: string[]) =>
  ['v=0', 'o=- 1 1 IN IP4 198.51.100.1', 's=-', 'c=IN IP4 198.51.100.1', 't=0 0', ...media, ''].join('\r\n');
const AUDIO = ['m=audio 6000 RTP/AVP 8', 'a=rtpmap:8 PCMA/8000'];
const IMAGE = [
  'm=image 6002 udptl t38',
  'a=T38FaxVersion:0',
  'a=T38FaxRateManagement:transferredTCF',
  'a=T38VendorInfo:0 0 37',
];
const fax = described(...IMAGE);
const audio = described(...AUDIO);

test.each([
  ['audio', audio, false],
  ['an image stream', fax, true],
  ['in capitals', described('m=image 6002 UDPTL T38'), true],
  ['an image beside audio', described(...AUDIO, ...IMAGE), true],
  ['an image that was refused', described(...AUDIO, 'm=image 0 udptl t38'), false],
  ['an image over TCP', described('m=image 6002 TCP t38'), false],
  ['another image', described('m=image 6002 udptl t37'), false],
  ['nonsense', 'x', false],
])('%s: fax is %s', (_name, sdp, is) => expect(isFax(sdp)).toBe(is));

describe('an offer', () => {
  it('is audio, unless the other side offers fax', () => {
    expect([undefined, audio].map((like) => isFax(offerLike(like, local)))).toEqual([false, false]);
    const [media] = parseSdp(offerLike(fax, local))?.media ?? [];
    expect([media?.kind, media?.port, media?.protocol, media?.formats]).toEqual(['image', 4000, 'udptl', ['t38']]);
    expect(media?.lines.map(({ value }) => value)).toEqual(['T38FaxVersion:0', 'T38FaxRateManagement:transferredTCF']);
  });

  it('shows neither addresses nor words of the other side, and not without end', () => {
    const many = Array.from({ length: 40 }, () => 'a=T38FaxMaxBuffer:1');
    const bad = ['a=T38FaxVersion:<script>', `a=T38FaxVersion:${'0'.repeat(80)}`, 'a=x-secret:198.51.100.1', 'i=Bob'];
    const offer = offerLike(described(...IMAGE, ...bad, ...many), local);
    expect(offer).not.toMatch(/198\.51|script|secret|Bob|Vendor/);
    expect(parseSdp(offer)?.media[0]?.lines).toHaveLength(16);
  });
});

describe('an answer', () => {
  const streams = (sdp: string | undefined) => parseSdp(sdp ?? '')?.media.map(({ kind, port }) => `${kind} ${port}`);

  it('takes fax where the other side has agreed, and refuses what stands beside it, in its place', () => {
    expect(streams(answerLike(fax, fax, local))).toEqual(['image 4000']);
    expect(streams(answerLike(described(...AUDIO, ...IMAGE), fax, local))).toEqual(['audio 0', 'image 4000']);
  });

  it('tells on what the other side can do, not what was offered', () => {
    const like = described('m=image 7000 udptl t38', 'a=T38MaxBitRate:7200');
    const [media] = parseSdp(answerLike(fax, like, local) ?? '')?.media ?? [];
    expect(media?.lines.map(({ value }) => value)).toEqual(['T38MaxBitRate:7200']);
  });

  it('takes sound where nobody has agreed on fax; an offer of fax alone has none', () => {
    expect(streams(answerLike(described(...AUDIO, ...IMAGE), undefined, local))).toEqual(['audio 4000', 'image 0']);
    expect(streams(answerLike(described(...AUDIO, ...IMAGE), audio, local))).toEqual(['audio 4000', 'image 0']);
    expect(answerLike(fax, undefined, local)).toBeUndefined();
    expect(answerLike('x', fax, local)).toBeUndefined();
  });
});

describe('the other end', () => {
  it('is one address, and no group', () => {
    const at = (host: string) => fax.replaceAll('198.51.100.1', host);
    expect(readEnd(at('198.51.100.2'), fax)?.address.host).toBe('198.51.100.2');
    for (const host of ['239.1.1.1', '255.255.255.255', 'media.example', '198.51.100.300'])
      expect(readEnd(at(host), fax)).toBeUndefined();
  });

  it('is the image where there is agreement on fax, else the audio', () => {
    const both = described(...AUDIO, ...IMAGE);
    expect(readEnd(both, fax)).toMatchObject({ address: { host: '198.51.100.1', port: 6002 }, opaque: true });
    expect(readEnd(both, undefined)).toMatchObject({ address: { port: 6000 }, codec: 'PCMA' });
    expect(readEnd(both.replace(/c=IN IP4 [0-9.]+/g, 'c=IN IP6 2001:DB8::0:5'), fax)?.address.host).toBe('2001:db8::5');
    expect(readEnd(audio, fax)).not.toHaveProperty('opaque');
    expect(readEnd(fax, undefined)).toBeUndefined();
  });

  it('is never a name', () => {
    expect(readEnd(fax.replaceAll('198.51.100.1', 'evil.example'), fax)).toBeUndefined();
  });
});

test('whatever is offered, an answer can be read and has as many streams', () => {
  const stream = fc.constantFrom(
    AUDIO,
    IMAGE,
    ['m=video 9 RTP/AVP 96'],
    ['m=image 0 udptl t38'],
    ['m=audio 0 RTP/AVP 0'],
  );
  fc.assert(
    fc.property(fc.array(stream, { minLength: 1, maxLength: 5 }), fc.boolean(), (all, agreed) => {
      const answer = answerLike(described(...all.flat()), agreed ? fax : undefined, local);
      if (answer === undefined) return;
      const media = parseSdp(answer)?.media ?? [];
      expect([media.length, media.filter(({ port }) => port !== 0).length]).toEqual([all.length, 1]);
    }),
    { seed },
  );
});
