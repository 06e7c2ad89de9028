import { expect, test } from 'vitest';
import { parseSdp } from '../sip/sdp.ts';
import { streamsOf, withStreams } from './streams.ts';

const AUDIO =
  'v=0\r\no=- 1 1 IN IP4 10.0.0.1\r\ns=-\r\nc=IN IP4 10.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 8 0\r\na=sendrecv\r\n';
const BOTH = `${AUDIO}m=video 4002 RTP/AVP 96 97\r\na=rtpmap:96 H264/90000\r\n`;

test('the streams of a description, whatever its line ends', () => {
  expect(streamsOf(AUDIO)).toEqual(['audio 4000 RTP/AVP 8 0']);
  expect(streamsOf(BOTH)).toEqual(['audio 4000 RTP/AVP 8 0', 'video 4002 RTP/AVP 96 97']);
  expect(streamsOf(BOTH.replaceAll('\r\n', '\n'))).toEqual(streamsOf(BOTH));
  expect(streamsOf('')).toEqual([]);
  expect(streamsOf('m')).toEqual([]);
});

test('an offer that has fewer than before gets the others, closed', () => {
  const offer = withStreams(AUDIO, streamsOf(BOTH));
  expect(offer).toBe(`${AUDIO}m=video 0 RTP/AVP 96\r\n`);
  expect(parseSdp(offer)?.media.map(({ kind, port }) => [kind, port])).toEqual([
    ['audio', 4000],
    ['video', 0],
  ]);
});

test('one that has as many, or more, stays as it is', () => {
  expect(withStreams(BOTH, streamsOf(BOTH))).toBe(BOTH);
  expect(withStreams(BOTH, streamsOf(AUDIO))).toBe(BOTH);
  expect(withStreams(AUDIO, [])).toBe(AUDIO);
});
