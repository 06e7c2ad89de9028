/** Whatever a peer sends, in whatever state of a call: the endpoint does not throw, answers at most a little, and leaks nothing. */
import { describe, expect, it } from 'vitest';
import { Duo, obliging, seeded } from '#test/support/sip-duo.ts';
import type { EndpointOutput } from './types.ts';

const ROUNDS = 400;
const MUTANTS = 50;
const SCRAPS = [
  '\r\n',
  '\r\n\r\n',
  ';tag=',
  ';branch=',
  '<',
  '>',
  '"',
  ',',
  ':',
  '@',
  '%',
  '0',
  '4294967296',
  '-1',
  ' ',
  '\0',
  '\xff',
  'sip:',
  'SIP/2.0',
  ';lr',
  'CANCEL',
  'ACK',
  'BYE',
  'INVITE',
  '*',
  'Require: x\r\n',
  'To: <sip:x>\r\n',
  'Via: SIP/2.0/UDP x\r\n',
  'Contact: *\r\n',
  'Record-Route: <sip:x>\r\n',
  'Content-Length: 9\r\n',
];

type Draw = (of: number) => number;

/** A text with a few places cut, doubled, overwritten, or taken from another text. */
function mutate(text: string, other: string, draw: Draw): string {
  let result = text;
  for (let i = 1 + draw(3); i > 0; i--) {
    const at = draw(result.length + 1);
    const end = at + draw(30);
    const scrap = SCRAPS[draw(SCRAPS.length)] ?? '';
    const lines = result.split('\r\n');
    const line = draw(lines.length);
    switch (draw(6)) {
      case 0:
        result = result.slice(0, at) + result.slice(end);
        break;
      case 1:
        result = result.slice(0, at) + scrap + result.slice(at);
        break;
      case 2:
        result = result.slice(0, at) + scrap + result.slice(end);
        break;
      case 3:
        result = lines.toSpliced(line, draw(2), ...other.split('\r\n').slice(0, draw(4))).join('\r\n');
        break;
      case 4:
        result = lines.toSpliced(line, 1).join('\r\n');
        break;
      default:
        result = result.slice(0, at) + result.slice(at, end) + result.slice(at);
    }
  }
  return result;
}

describe('mutated messages', () => {
  it(`${ROUNDS * MUTANTS} of them in the midst of calls`, () => {
    let answers = 0;
    for (let round = 1; round <= ROUNDS; round++) {
      const random = seeded(round);
      const draw: Draw = (of) => Math.floor(random.fraction() * of);
      const duo = new Duo({ seed: round, protocol: draw(2) === 0 ? 'udp' : 'tcp' });
      duo.b.decide = obliging;
      duo.a.decide = obliging;
      const mine = duo.call(draw(3) === 0 ? {} : { sdp: 'offer' });
      for (let i = 0; i < MUTANTS; i++) {
        duo.run([0, 1, 2, 5, 600][draw(5)] ?? 1);
        if (draw(10) === 0) duo.a.act((e, now, out) => e.reoffer(mine, 'again', now, out));
        const from = draw(2) === 0 ? duo.a : duo.b;
        const [text, other] = [from, draw(2) === 0 ? duo.a : duo.b].map(
          (side) => side.sent[draw(side.sent.length)] ?? 'x',
        );
        const to = draw(4) === 0 ? from : from === duo.a ? duo.b : duo.a;
        const mutant = mutate(text ?? '', other ?? '', draw);
        to.act((endpoint, now, out: EndpointOutput[]) => {
          endpoint.receive(mutant, to.flow, now, out);
          expect(out.length).toBeLessThan(8);
          answers += out.length;
        });
      }
      duo.run(5000);
      for (const side of [duo.a, duo.b]) {
        const calls = side.told.flatMap((one) => (one.do === 'incoming' ? [one.call] : []));
        for (const call of [mine, ...calls]) side.act((e, now, out) => e.hangup(call, '', now, out));
      }
      duo.run();
      for (const { endpoint } of [duo.a, duo.b]) {
        expect([endpoint.counts(), endpoint.waiting], `round ${round}`).toEqual([{ transactions: 0, calls: 0 }, 0]);
      }
    }
    expect(answers).toBeGreaterThan(ROUNDS * 5);
  });
});
