import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type AudioCodec, type LocalMedia, makeAnswer, makeOffer, readRemote } from './offer-answer.ts';
import { type Direction, parseSdp } from './sdp.ts';

const here: LocalMedia = { address: { host: '192.0.2.1', port: 4000 }, sessionId: 1 };
const there: LocalMedia = { address: { host: '2001:db8::2', port: 5000 }, sessionId: 2, version: 7 };
const DIRECTIONS: Direction[] = ['sendrecv', 'sendonly', 'recvonly', 'inactive'];

const sdp = (media: string[], connection = 'c=IN IP4 192.0.2.9'): string =>
  ['v=0', 'o=- 1 1 IN IP4 192.0.2.9', 's=-', ...(connection === '' ? [] : [connection]), 't=0 0', ...media, ''].join(
    '\r\n',
  );

describe('makeOffer', () => {
  it('is what RFC 3264 and 8866 ask for', () => {
    expect(makeOffer({ ...here, version: 3, direction: 'sendonly' })).toBe(
      [
        'v=0',
        'o=- 1 3 IN IP4 192.0.2.1',
        's=-',
        'c=IN IP4 192.0.2.1',
        't=0 0',
        'm=audio 4000 RTP/AVP 8 0 101',
        'a=rtpmap:8 PCMA/8000',
        'a=rtpmap:0 PCMU/8000',
        'a=rtpmap:101 telephone-event/8000',
        'a=fmtp:101 0-15',
        'a=ptime:20',
        'a=sendonly',
        '',
      ].join('\r\n'),
    );
  });

  it('can do without events and with one codec', () => {
    const offer = makeOffer({ ...there, codecs: ['PCMU'], eventType: null });
    expect(offer).toContain('c=IN IP6 2001:db8::2');
    expect(offer).toContain('m=audio 5000 RTP/AVP 0\r\n');
    expect(readRemote(offer)).toEqual({
      address: there.address,
      codec: 'PCMU',
      payloadType: 0,
      sends: true,
      receives: true,
    });
    expect(readRemote(makeOffer({ ...there, eventType: 96 }))?.eventType).toBe(96);
  });
});

describe('makeAnswer', () => {
  it('takes one codec, in the offer’s order and with its payload types', () => {
    const offer = sdp([
      'm=audio 49170 RTP/AVP 18 97 8 101',
      'a=rtpmap:97 pcmu/8000',
      'a=rtpmap:101 telephone-event/8000',
    ]);
    const answer = makeAnswer(offer, there) ?? '';
    expect(parseSdp(answer)?.origin).toMatchObject({ sessionId: '2', version: '7' });
    expect(parseSdp(answer)?.media[0]).toMatchObject({ port: 5000, formats: ['97', '101'] });
    expect(readRemote(answer)).toEqual({
      address: there.address,
      codec: 'PCMU',
      payloadType: 97,
      eventType: 101,
      sends: true,
      receives: true,
    });
    expect(readRemote(makeAnswer(offer, { ...there, codecs: ['PCMA'] }) ?? '')?.payloadType).toBe(8);
  });

  it('refuses other streams in their place', () => {
    const offer = sdp([
      'm=video 6000 RTP/AVP 31 32',
      'm=audio 6002 RTP/SAVP 0',
      'm=audio 6004 RTP/AVP 0',
      'm=audio 6006 RTP/AVP 0',
      'm=image 6008 udptl t38',
    ]);
    const media = parseSdp(makeAnswer(offer, here) ?? '')?.media ?? [];
    expect(media.map(({ kind, port, protocol, formats }) => [kind, port, protocol, ...formats])).toEqual([
      ['video', 0, 'RTP/AVP', '31'],
      ['audio', 0, 'RTP/SAVP', '0'],
      ['audio', 4000, 'RTP/AVP', '0'],
      ['audio', 0, 'RTP/AVP', '0'],
      ['image', 0, 'udptl', 't38'],
    ]);
  });

  it('repeats the offer’s time', () => {
    const offer = makeOffer(here).replace('t=0 0', 't=3034423619 3042462419');
    expect(makeAnswer(offer, there)).toContain('\r\nt=3034423619 3042462419\r\n');
    expect(makeAnswer(offer.replace('t=3034423619 3042462419\r\n', ''), there)).toContain('\r\nt=0 0\r\n');
  });

  it.each([
    ['no codec in common', sdp(['m=audio 1 RTP/AVP 18 3'])],
    ['a dynamic type without a map', sdp(['m=audio 1 RTP/AVP 96'])],
    ['another clock', sdp(['m=audio 1 RTP/AVP 96', 'a=rtpmap:96 PCMA/16000'])],
    ['another use of a static type', sdp(['m=audio 1 RTP/AVP 8', 'a=rtpmap:8 G729/8000'])],
    ['stereo', sdp(['m=audio 1 RTP/AVP 96', 'a=rtpmap:96 PCMA/8000/2'])],
    ['events alone', sdp(['m=audio 1 RTP/AVP 101', 'a=rtpmap:101 telephone-event/8000'])],
    ['a stream that is off', sdp(['m=audio 0 RTP/AVP 0'])],
    ['SRTP only', sdp(['m=audio 1 RTP/SAVP 0'])],
    ['no stream', sdp([])],
    ['junk', 'junk'],
  ])('has no answer to %s', (_, offer) => {
    expect(makeAnswer(offer, here)).toBeUndefined();
    expect(readRemote(offer)).toBeUndefined();
  });

  it.each(DIRECTIONS.flatMap((offered) => DIRECTIONS.map((wanted) => [offered, wanted] as const)))(
    'to %s, wanting %s, promises no more than both allow',
    (offered, wanted) => {
      const offer = makeOffer({ ...here, direction: offered });
      const far = readRemote(offer);
      const near = readRemote(makeAnswer(offer, { ...there, direction: wanted }) ?? '');
      const may = (direction: Direction, what: 'send' | 'recv'): boolean =>
        direction === 'sendrecv' || direction === `${what}only`;
      expect(near?.sends).toBe(Boolean(far?.receives) && may(wanted, 'send'));
      expect(near?.receives).toBe(Boolean(far?.sends) && may(wanted, 'recv'));
    },
  );
});

describe('readRemote', () => {
  it.each<[string, string, boolean, boolean]>([
    ['sendrecv by default', sdp(['m=audio 1 RTP/AVP 0']), true, true],
    ['hold by sendonly', sdp(['m=audio 1 RTP/AVP 0', 'a=sendonly']), true, false],
    ['hold by inactive', sdp(['m=audio 1 RTP/AVP 0', 'a=inactive']), false, false],
    ['recvonly for the session', sdp(['a=recvonly', 'm=audio 1 RTP/AVP 0']), false, true],
    ['the stream before the session', sdp(['a=recvonly', 'm=audio 1 RTP/AVP 0', 'a=sendrecv']), true, true],
    ['hold by 0.0.0.0 (RFC 2543)', sdp(['m=audio 1 RTP/AVP 0'], 'c=IN IP4 0.0.0.0'), true, false],
    ['hold by ::', sdp(['m=audio 1 RTP/AVP 0'], 'c=IN IP6 ::'), true, false],
  ])('%s', (_, text, sends, receives) => {
    expect(readRemote(text)).toMatchObject({ sends, receives });
  });

  it.each<[string, string[], string, string | undefined]>([
    ['the stream’s address', ['m=audio 1 RTP/AVP 0', 'c=IN IP6 2001:db8::5'], 'c=IN IP4 192.0.2.9', '2001:db8::5'],
    ['an address as the system has it', ['m=audio 1 RTP/AVP 0'], 'c=IN IP6 2001:DB8:0:0::05', '2001:db8::5'],
    ['the session’s address', ['m=audio 1 RTP/AVP 0'], 'c=IN IP4 192.0.2.9', '192.0.2.9'],
    ['no name', ['m=audio 1 RTP/AVP 0'], 'c=IN IP4 media.example', undefined],
    ['no malformed IPv4', ['m=audio 1 RTP/AVP 0'], 'c=IN IP4 192.0.2.256', undefined],
    ['no short IPv4', ['m=audio 1 RTP/AVP 0'], 'c=IN IP4 192.0.2', undefined],
    ['no IPv6 with a zone', ['m=audio 1 RTP/AVP 0'], 'c=IN IP6 fe80::1%eth0', undefined],
    // Sound for one is not for all of a network (RFC 3264 section 6).
    ['no group', ['m=audio 1 RTP/AVP 0'], 'c=IN IP4 224.2.1.1/127', undefined],
    ['no broadcast', ['m=audio 1 RTP/AVP 0'], 'c=IN IP4 255.255.255.255', undefined],
    ['no group of IPv6', ['m=audio 1 RTP/AVP 0'], 'c=IN IP6 FF02::1', undefined],
    ['the last address that is of one', ['m=audio 1 RTP/AVP 0'], 'c=IN IP4 223.255.255.1', '223.255.255.1'],
    ['no other network', ['m=audio 1 RTP/AVP 0'], 'c=ATM NSAP x', undefined],
    ['nothing without an address', ['m=audio 1 RTP/AVP 0'], '', undefined],
  ])('takes %s', (_, media, connection, host) => {
    expect(readRemote(sdp(media, connection))?.address.host).toBe(host);
  });

  it('skips to the stream that it can use', () => {
    const text = sdp(['m=video 1 RTP/AVP 31', 'm=audio 2 RTP/SAVP 0', 'm=audio 4 RTP/AVP 8']);
    expect(readRemote(text)).toMatchObject({ address: { port: 4 }, codec: 'PCMA' });
    expect(readRemote(text, ['PCMU'])).toBeUndefined();
  });

  it('agrees with what was offered and answered', () => {
    const codecs = fc.constantFrom<AudioCodec[][]>(['PCMA'], ['PCMU'], ['PCMA', 'PCMU'], ['PCMU', 'PCMA']);
    fc.assert(
      fc.property(codecs, codecs, (offered, supported) => {
        const offer = makeOffer({ ...here, codecs: offered });
        const answer = makeAnswer(offer, { ...there, codecs: supported });
        const expected = offered.find((codec) => supported.includes(codec));
        expect(answer && readRemote(answer)?.codec).toBe(expected);
        expect(readRemote(offer, supported)?.codec).toBe(expected);
      }),
    );
  });
});
