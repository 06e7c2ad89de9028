import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { Random } from '#shared/kernel/world.ts';
import { Endpoint } from '#shared/sip/endpoint.ts';
import { Framer } from '#shared/sip/framer.ts';
import { parse } from '#shared/sip/parse.ts';
import type { EndpointOutput, Flow } from '#shared/sip/types.ts';
import { validate } from '#shared/sip/validate.ts';
import { write } from '#shared/sip/write.ts';
import { mutate, seeded } from '../support/mutate.ts';
import { torture4475 } from './torture-archive.ts';

/**
 * What a user agent server does with each message of RFC 4475 that comes as a datagram: the status of its answer, `call` or `request`
 * where its user is asked, or silence.
 */
const ROLE: Readonly<Record<string, number | 'call' | 'request' | 'silence'>> = {
  wsinv: 481,
  intmeth: 501,
  sdp01: 406,
  esc01: 'call',
  escnull: 'request',
  esc02: 501,
  lwsdisp: 'request',
  longreq: 'call',
  dblreq: 'request',
  semiuri: 'request',
  transports: 'request',
  mpart01: 'request',
  unreason: 'silence',
  noreason: 'silence',
  badinv01: 400,
  clerr: 400,
  ncl: 400,
  scalar02: 400,
  scalarlg: 'silence',
  quotbal: 400,
  ltgtruri: 400,
  lwsruri: 400,
  lwsstart: 400,
  trws: 400,
  escruri: 400,
  baddate: 'call',
  regbadct: 400,
  badaspec: 400,
  baddn: 'request',
  badvers: 505,
  mismatch01: 400,
  mismatch02: 400,
  bigcode: 'silence',
  badbranch: 'request',
  insuf: 400,
  unkscm: 416,
  novelsc: 416,
  unksm2: 'request',
  bext01: 420,
  invut: 415,
  regaut01: 'request',
  multi01: 400,
  mcl01: 400,
  bcast: 'silence',
  zeromf: 'request',
  cparam01: 'request',
  cparam02: 'request',
  regescrt: 'request',
  inv2543: 'call',
};

/** How many mutated messages; more for a long run. */
const CASES = Number(process.env.FUZZ_CASES ?? 5000);

const flow: Flow = {
  id: 'f',
  protocol: 'udp',
  local: { host: '192.0.2.250', port: 5060 },
  remote: { host: '192.0.2.251', port: 5060 },
  peer: { kind: 'none' },
};

let drawn = 0;
const random: Random = {
  bytes: (n) => Uint8Array.from({ length: n }, () => (drawn = (drawn * 5 + 3) % 251)),
  fraction: () => 0.5,
};

function newEndpoint(): Endpoint {
  return new Endpoint({
    random,
    hash: (algorithm, plain) =>
      createHash(algorithm === 'MD5' ? 'md5' : 'sha256')
        .update(plain, 'latin1')
        .digest('hex'),
  });
}

function serve(text: string): EndpointOutput[] {
  const out: EndpointOutput[] = [];
  newEndpoint().receive(text, flow, 0, out);
  return out;
}

/** The answer to a request; 100 apart, which is no decision. */
function roleOf(out: readonly EndpointOutput[]): number | string {
  for (const one of out) {
    if (one.do === 'incoming') return 'call';
    if (one.do === 'send' && one.message.status > 100) return one.message.status;
    if (one.do !== 'send') return one.do;
  }
  return 'silence';
}

const torture = torture4475();
/** The archive's baddn lacks the empty line that its listing in the RFC has. */
const whole = (text: string): string => (text.includes('\r\n\r\n') ? text : `${text}\r\n`);

describe.skipIf(torture === undefined)(
  `an endpoint under RFC 4475 (${torture?.source ?? 'no source installed'})`,
  () => {
    it.each(Object.entries(ROLE))('%s: %s', (name, role) => {
      const out = serve(whole(torture?.messages.get(name) ?? ''));
      expect(roleOf(out)).toBe(role);
      for (const one of out) {
        if (one.do !== 'send') continue;
        const answer = parse(write(one.message));
        expect(answer.ok).toBe(true);
        if (answer.ok && role !== 400 && role !== 505) expect(validate(answer.message)).toBeUndefined();
      }
    });

    it('answers mutated ones or not, but stays whole and readable', () => {
      const next = seeded(4475);
      const texts = [...(torture?.messages.values() ?? [])];
      const endpoint = newEndpoint();
      for (let number = 0; number < CASES; number++) {
        const out: EndpointOutput[] = [];
        const text = mutate(mutate(texts[number % texts.length] ?? '', next), next);
        endpoint.receive(text, flow, number, out);
        endpoint.tick(number, out);
        for (const one of out) {
          if (one.do === 'send' && !parse(write(one.message)).ok)
            throw new Error(`case ${number}: ${JSON.stringify(text)}`);
          if (one.do === 'incoming') endpoint.reject(one.call, 486, {}, number, []);
          if (one.do === 'request') endpoint.reply(one.transaction, 200, {}, number, []);
        }
      }
      for (let now = CASES; now < CASES + 200_000; now += 500) endpoint.tick(now, []);
      expect(endpoint.counts()).toEqual({ transactions: 0, calls: 0 });
    });

    it.each<[string, object | undefined]>([
      ['ncl', { bad: 'Bad Content-Length' }],
      ['mcl01', { bad: 'Repeated Content-Length' }],
      ['clerr', undefined],
      ['wsinv', { message: torture?.messages.get('wsinv') }],
      ['mpart01', { message: torture?.messages.get('mpart01') }],
    ])('a stream with %s', (name, frame) => {
      const framer = new Framer();
      framer.push(torture?.messages.get(name) ?? '');
      expect(framer.next()).toEqual(frame);
    });
  },
);
