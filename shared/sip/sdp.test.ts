import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MEDIA_LIMIT, parseSdp, SDP_LINE_LIMIT, writeSdp } from './sdp.ts';

const text = (...lines: string[]): string => ['v=0', 'o=- 1 2 IN IP4 192.0.2.1', ...lines, ''].join('\r\n');

const RICH = text(
  's=-',
  'i=x',
  'c=IN IP4 224.2.17.12/127/3',
  'b=AS:64',
  't=0 0',
  'x=unknown here',
  'a=recvonly',
  'm=audio 49170/2 RTP/AVP 0 96 97',
  'i=title',
  'a=rtpmap:0 pcmu/8000',
  'a=rtpmap:96 opus/48000/2',
  'a=rtpmap:bad x/8000',
  'a=rtpmap:97',
  'a=fmtp:96 useinbandfec=1; stereo=0',
  'a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:abc',
  'a=crypto:2 AES_CM_128_HMAC_SHA1_32 inline:def',
  'a=x-odd:1:2',
  'm=image 0 udptl t38',
  'c=IN IP6 2001:db8::1',
  'a=sendonly',
);

describe('parseSdp', () => {
  it('reads what matters', () => {
    const session = parseSdp(RICH);
    expect(session?.origin).toEqual({ username: '-', sessionId: '1', version: '2', where: 'IN IP4 192.0.2.1' });
    expect(session?.connection).toBe('224.2.17.12');
    const [audio, image] = session?.media ?? [];
    expect(audio).toMatchObject({ kind: 'audio', port: 49_170, protocol: 'RTP/AVP', formats: ['0', '96', '97'] });
    expect(audio && [...audio.rtpmap]).toEqual([
      [0, { name: 'PCMU', clock: 8000, channels: 1 }],
      [96, { name: 'OPUS', clock: 48_000, channels: 2 }],
    ]);
    expect(audio && [...audio.fmtp]).toEqual([[96, 'useinbandfec=1; stereo=0']]);
    expect(audio?.crypto).toHaveLength(2);
    expect(audio?.attribute('x-odd')).toBe('1:2');
    expect(audio && session?.connectionOf(audio)).toBe('224.2.17.12');
    expect(audio && session?.directionOf(audio)).toBe('recvonly');
    expect(image && session?.connectionOf(image)).toBe('2001:db8::1');
    expect(image && session?.directionOf(image)).toBe('sendonly');
    expect(image?.port).toBe(0);
  });

  it('keeps unknown lines and order', () => {
    const session = parseSdp(RICH);
    expect(session && writeSdp(session)).toBe(RICH.replace('49170/2', '49170'));
  });

  it('takes line feeds alone and empty lines at the end', () => {
    expect(parseSdp(`${RICH.replaceAll('\r\n', '\n')}\n\n`)?.media).toHaveLength(2);
    expect(parseSdp(RICH.trimEnd())?.media).toHaveLength(2);
  });

  it.each([
    ['nothing', ''],
    ['another version', 'v=1\r\no=- 1 2 IN IP4 h\r\n'],
    ['no version', 'o=- 1 2 IN IP4 h\r\n'],
    ['no origin', 'v=0\r\ns=-\r\n'],
    ['a short origin', 'v=0\r\no=- 1 2\r\n'],
    ['a line without type', text('nonsense')],
    ['an empty line inside', text('s=-', '', 't=0 0')],
    ['a short m line', text('m=audio 1 RTP/AVP')],
    ['a port that is none', text('m=audio x RTP/AVP 0')],
    ['a port too high', text('m=audio 65536 RTP/AVP 0')],
    ['a negative port', text('m=audio -1 RTP/AVP 0')],
  ])('refuses %s', (_, sdp) => {
    expect(parseSdp(sdp)).toBeUndefined();
  });

  it('takes as many media and lines as allowed and none more', () => {
    const media = (n: number): string => text(...Array.from({ length: n }, () => 'm=audio 0 RTP/AVP 0'));
    expect(parseSdp(media(MEDIA_LIMIT))?.media).toHaveLength(MEDIA_LIMIT);
    expect(parseSdp(media(MEDIA_LIMIT + 1))).toBeUndefined();
    const lines = (n: number): string => text(...Array.from({ length: n - 3 }, () => 'a=x'));
    expect(parseSdp(lines(SDP_LINE_LIMIT))?.lines).toHaveLength(SDP_LINE_LIMIT - 2);
    expect(parseSdp(lines(SDP_LINE_LIMIT + 1))).toBeUndefined();
  });

  it('gives any description back as it was', () => {
    const value = fc.stringMatching(/^[!-~][ -~]{0,20}$/);
    const line = fc
      .tuple(fc.constantFrom('s', 'i', 'b', 'a', 'x', 'k', 'z'), value)
      .map(([type, rest]) => `${type}=${rest}`);
    const media = fc
      .tuple(fc.integer({ min: 0, max: 65_535 }), fc.array(line, { maxLength: 5 }))
      .map(([port, lines]) => [`m=audio ${port} RTP/AVP 0 8`, ...lines]);
    fc.assert(
      fc.property(fc.array(line, { maxLength: 8 }), fc.array(media, { maxLength: 4 }), (session, parts) => {
        const sdp = text(...session, ...parts.flat());
        const read = parseSdp(sdp);
        expect(read && writeSdp(read)).toBe(sdp);
      }),
    );
  });

  it('never throws', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: RICH.length }), fc.string({ maxLength: 5 }), (at, junk) => {
        const sdp = RICH.slice(0, at) + junk + RICH.slice(at + junk.length);
        const read = parseSdp(sdp);
        for (const media of read?.media ?? []) expect(media.rtpmap.size + media.fmtp.size).toBeGreaterThanOrEqual(0);
      }),
    );
  });
});
