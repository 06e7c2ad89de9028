import { describe, expect, test } from 'vitest';
import { makeOffer } from '../sip/offer-answer.ts';
import { type Direction, directionOf, revised, unheld, versionOf, wishOf } from './direction.ts';

const offer = (direction?: Direction) =>
  makeOffer({ address: { host: '192.0.2.1', port: 4000 }, sessionId: 7, ...(direction && { direction }) });
const head = 'v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\n';

describe('direction', () => {
  test.each<[string, string, Direction]>([
    ['none said', `${head}c=IN IP4 192.0.2.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n`, 'sendrecv'],
    ['of the session', `${head}c=IN IP4 192.0.2.1\r\nt=0 0\r\na=sendonly\r\nm=audio 4000 RTP/AVP 0\r\n`, 'sendonly'],
    [
      'of the medium',
      `${head}c=IN IP4 192.0.2.1\r\nt=0 0\r\na=sendonly\r\nm=audio 4 RTP/AVP 0\r\na=recvonly\r\n`,
      'recvonly',
    ],
    ['old hold', `${head}c=IN IP4 0.0.0.0\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n`, 'sendonly'],
    ['old hold, one way', `${head}c=IN IP4 0.0.0.0\r\nt=0 0\r\nm=audio 4 RTP/AVP 0\r\na=recvonly\r\n`, 'inactive'],
    [
      'refused first',
      `${head}c=IN IP4 1.2.3.4\r\nt=0 0\r\nm=video 0 RTP/AVP 9\r\nm=audio 4 RTP/AVP 0\r\na=inactive\r\n`,
      'inactive',
    ],
    ['nothing at all', 'junk', 'inactive'],
  ])('%s', (_name, sdp, expected) => {
    expect(directionOf(sdp)).toBe(expected);
  });

  test('a revision changes version and direction and nothing else', () => {
    const before = offer('sendonly');
    const after = revised(before, 9, 'inactive');
    expect(directionOf(after)).toBe('inactive');
    expect(after).toContain('o=- 7 9 IN');
    expect(revised(after, 1, 'sendonly')).toBe(before);
    expect(revised(before, 2)).toBe(before.replace('o=- 7 1', 'o=- 7 2'));
    expect(revised('junk', 2)).toBe('junk');
    expect([versionOf(after), versionOf('junk')]).toEqual([9, 0]);
  });

  const all: readonly Direction[] = ['sendrecv', 'sendonly', 'recvonly', 'inactive'];
  test.each<[Direction, (Direction | undefined)[]]>([
    ['sendrecv', [undefined, undefined, undefined, undefined]],
    ['sendonly', [undefined, undefined, undefined, undefined]],
    ['recvonly', [undefined, 'sendrecv', undefined, undefined]],
    ['inactive', [undefined, 'sendonly', undefined, 'sendrecv']],
  ])('who was told %s is offered what its own hold does not narrow', (told, offered) => {
    expect(all.map((said) => unheld(told, said))).toEqual(offered);
  });

  test.each<[Direction, (Direction | undefined)[]]>([
    ['sendrecv', ['sendrecv', 'sendonly', 'recvonly', 'inactive']],
    ['sendonly', ['sendrecv', 'sendonly', 'sendrecv', 'inactive']],
    ['recvonly', ['sendrecv', 'sendrecv', 'recvonly', 'inactive']],
    ['inactive', [undefined, undefined, undefined, undefined]],
  ])('who was told %s wants by its answer', (told, wanted) => {
    expect(all.map((answered) => wishOf(told, answered))).toEqual(wanted);
  });
});
