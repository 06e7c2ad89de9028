/** Every feature of a line as a row: how it is set by API, by page and by code, and how phones notice it. */
import { expect } from 'vitest';
import type { Phone } from '#simulator/phone.ts';
import { OUTSIDE, type Place, wordsAt } from './feature-places.ts';
import { type Features, last } from './words.ts';

export interface Row {
  readonly feature: string;
  readonly api: (numbers: readonly string[]) => Features;
  /** The fields of the page that a person fills. */
  readonly page: (numbers: readonly string[]) => Readonly<Record<string, string>>;
  /** What a phone dials; another feature may have to be there first. */
  readonly code: (numbers: readonly string[]) => readonly string[];
  readonly first?: Features;
  readonly shows: (place: Place) => Promise<void>;
}

const outside = ({ cut }: Place) => (cut ? 503 : 'up');
const n = (numbers: readonly string[], which: number) => numbers[which] ?? '';

/** A forward of the first line to the third, taken where its phone behaves so. */
const forward = (
  feature: string,
  when: 'always' | 'busy' | 'noAnswer',
  code: string,
  manner: Phone['manner'],
): Row => ({
  feature,
  api: (numbers) => ({ forward: { [when]: n(numbers, 2) }, ...(when === 'noAnswer' ? { noAnswerAfter: 5 } : {}) }),
  page: (numbers) => ({ [when]: n(numbers, 2), ...(when === 'noAnswer' ? { noAnswerAfter: '5' } : {}) }),
  code: (numbers) => [`${code}${n(numbers, 2)}${when === 'noAnswer' ? '*5' : ''}#`],
  async shows(place) {
    const { a, b, own, tries, when: behaves } = wordsAt(place);
    // A busy phone shows nothing of the call.
    const rings = when === 'noAnswer' ? ['up', 0, 2] : ['up', 2];
    await behaves(a, manner, async () => expect(await tries(b, own)).toEqual(rings));
  },
});

export const ROWS: readonly Row[] = [
  {
    feature: 'the number withheld',
    api: () => ({ hideNumber: true }),
    page: () => ({ hideNumber: 'on' }),
    code: () => ['*31#'],
    async shows(place) {
      const { a, b, own, number, tries } = wordsAt(place);
      expect(await tries(a, number(1))).toEqual(['up', 1]);
      expect(last(b).from).toContain('anonymous.invalid');
      expect(await tries(a, `*31#${number(1)}`)).toEqual(['up', 1]);
      expect(last(b).from).toContain(own);
      expect(await tries(a, `#31#${number(1)}`)).toEqual(['up', 1]);
      expect(last(b).from).not.toContain(own);
    },
  },
  {
    feature: 'do not disturb',
    api: () => ({ doNotDisturb: true }),
    page: () => ({ doNotDisturb: 'on' }),
    code: () => ['*26#'],
    async shows(place) {
      const { b, own, tries } = wordsAt(place);
      expect(await tries(b, own)).toEqual([486]);
    },
  },
  {
    feature: 'callers without a number turned away',
    api: () => ({ rejectAnonymous: true }),
    page: () => ({ rejectAnonymous: 'on' }),
    code: () => ['*30#'],
    async shows(place) {
      const { a, b, own, tries } = wordsAt(place);
      expect(await tries(b, own)).toEqual(['up', 0]);
      expect(await tries(b, `#31#${own}`)).toEqual([433]);
      // What was turned away is nobody to call back; who called before is.
      expect(await tries(a, '*69')).toEqual(['up', 1]);
    },
  },
  {
    feature: 'no call waiting',
    api: () => ({ noWaiting: true }),
    page: () => ({ noWaiting: 'on' }),
    code: () => ['#43#'],
    async shows(place) {
      const { b, c, own, dial, over, tries } = wordsAt(place);
      const talk = await dial(b, own);
      expect([talk.state, (await dial(c, own)).status]).toEqual(['up', 486]);
      await over(talk);
      expect(await tries(c, own)).toEqual(['up', 0]);
    },
  },
  forward('forwarding always', 'always', '*21*', 'answer'),
  forward('forwarding when busy', 'busy', '*67*', 'busy'),
  forward('forwarding when nobody answers', 'noAnswer', '*61*', 'ring'),
  {
    feature: 'forwarding while no phone is on',
    api: (numbers) => ({ forward: { offline: n(numbers, 2) } }),
    page: (numbers) => ({ offline: n(numbers, 2) }),
    code: (numbers) => [`*62*${n(numbers, 2)}#`],
    async shows(place) {
      const { a, b, own, tries } = wordsAt(place);
      await place.world.settle(a.register(0));
      expect(await tries(b, own)).toEqual(['up', 2]);
      await place.world.settle(a.register());
    },
  },
  {
    feature: 'another line that rings too',
    api: (numbers) => ({ ringAlso: [n(numbers, 2)] }),
    page: (numbers) => ({ ringAlso: n(numbers, 2) }),
    code: (numbers) => [`*64*${n(numbers, 2)}#`],
    async shows(place) {
      const { a, b, c, own, tries, when } = wordsAt(place);
      await when(a, 'ring', async () => expect(await tries(b, own)).toEqual(['up', 0, 2]));
      // One of them is busy: the other rings on.
      await when(c, 'busy', async () => expect(await tries(b, own)).toEqual(['up', 0]));
      // Who declines does so for its own line (RFC 3261 section 16.7).
      await when(c, 'decline', async () => expect(await tries(b, own)).toEqual(['up', 0]));
    },
  },
  {
    feature: 'a hunt',
    api: (numbers) => ({ hunt: [n(numbers, 3), n(numbers, 2)] }),
    page: (numbers) => ({ hunt: `${n(numbers, 3)}\n${n(numbers, 2)}` }),
    code: (numbers) => [`*65*${n(numbers, 3)}#`, `*65*${n(numbers, 2)}#`],
    async shows(place) {
      const { a, b, d, own, tries, when } = wordsAt(place);
      await when(a, 'busy', async () => {
        expect(await tries(b, own)).toEqual(['up', 3]);
        await when(d, 'busy', async () => expect(await tries(b, own)).toEqual(['up', 2]));
        // Who calls is not called.
        expect(await tries(d, own)).toEqual(['up', 2]);
      });
    },
  },
  {
    feature: 'a block list',
    api: (numbers) => ({ block: [n(numbers, 1)] }),
    page: (numbers) => ({ block: n(numbers, 1) }),
    code: (numbers) => [`*60*${n(numbers, 1)}#`],
    async shows(place) {
      const { b, c, own, tries } = wordsAt(place);
      expect(await tries(b, own)).toEqual([603]);
      // Withheld, it is the same number.
      expect(await tries(b, `#31#${own}`)).toEqual([603]);
      expect(await tries(c, own)).toEqual(['up', 0]);
    },
  },
  {
    feature: 'an allow list',
    api: (numbers) => ({ allow: [n(numbers, 1)] }),
    page: (numbers) => ({ allow: n(numbers, 1) }),
    code: (numbers) => [`*68*${n(numbers, 1)}#`],
    async shows(place) {
      const { b, c, own, tries } = wordsAt(place);
      expect(await tries(c, own)).toEqual([603]);
      expect(await tries(b, own)).toEqual(['up', 0]);
    },
  },
  {
    feature: 'a bar with its PIN',
    first: { pin: '2468' },
    api: () => ({ bar: ['local', 'national'], pin: '2468' }),
    page: () => ({ 'bar.local': 'on', 'bar.national': 'on', pin: '2468' }),
    code: () => ['*34*2468*12#'],
    async shows(place) {
      const { a, number, tries } = wordsAt(place);
      expect(await tries(a, OUTSIDE)).toEqual([403]);
      expect(await tries(a, `*33*1111*${OUTSIDE}`)).toEqual([403]);
      expect(await tries(a, `*33*2468*${OUTSIDE}`)).toEqual([outside(place)]);
      expect(await tries(a, number(1))).toEqual(['up', 1]);
    },
  },
  {
    feature: 'a hot line',
    api: (numbers) => ({ hotLine: n(numbers, 2) }),
    page: (numbers) => ({ hotLine: n(numbers, 2) }),
    code: (numbers) => [`*52*${n(numbers, 2)}#`],
    async shows(place) {
      const { a, number, tries } = wordsAt(place);
      expect(await tries(a, number(1))).toEqual(['up', 2]);
      // Help is dialled, whoever the hot line calls; here nobody helps.
      expect((await tries(a, '112')).length).toBe(1);
    },
  },
  {
    feature: 'a warm line',
    api: (numbers) => ({ hotLine: n(numbers, 2), hotLineAfter: 2 }),
    page: (numbers) => ({ hotLine: n(numbers, 2), hotLineAfter: '2' }),
    code: (numbers) => [`*53*${n(numbers, 2)}*2#`],
    async shows(place) {
      const { a, number, tries } = wordsAt(place);
      expect(await tries(a, number(1))).toEqual(['up', 1]);
      expect(await tries(a, `sip:${place.stage.homes[0]?.lines[0]?.sip.domain}`)).toEqual(['up', 2]);
    },
  },
  {
    feature: 'short dialling, to a bar too',
    first: { pin: '2468', bar: ['local', 'national'] },
    api: (numbers) => ({
      ...{ pin: '2468', bar: ['local', 'national'] },
      short: [
        { code: '7', to: n(numbers, 2) },
        { code: '8', to: OUTSIDE },
      ],
    }),
    page: (numbers) => ({
      ...{ pin: '2468', 'bar.local': 'on', 'bar.national': 'on' },
      short: `7, ${n(numbers, 2)}\n8, ${OUTSIDE}`,
    }),
    code: (numbers) => [`*51*7*${n(numbers, 2)}#`, `*51*8*${OUTSIDE}#`],
    async shows(place) {
      const { a, tries } = wordsAt(place);
      expect(await tries(a, '7')).toEqual(['up', 2]);
      expect(await tries(a, '8')).toEqual([403]);
      expect(await tries(a, '*33*2468*8')).toEqual([outside(place)]);
    },
  },
  {
    feature: 'the name and the ring of a caller',
    api: (numbers) => ({ contacts: [{ number: n(numbers, 1), name: 'Aunt Mary', ring: 'family' }] }),
    page: (numbers) => ({ contacts: `${n(numbers, 1)}, Aunt Mary, family` }),
    code: (numbers) => [`*45*${n(numbers, 1)}*Aunt_Mary#`, `*44*${n(numbers, 1)}*1#`],
    async shows(place) {
      const { a, b, own, tries } = wordsAt(place);
      await tries(b, own);
      expect([last(a).from.includes('"Aunt Mary"'), last(a).alerts]).toEqual([true, ['<urn:alert:source:family>']]);
      // A number that is withheld for this one call betrays itself by neither.
      await tries(b, `#31#${own}`);
      expect([last(a).from.includes('Mary'), last(a).alerts.includes('<urn:alert:source:family>')]).toEqual([
        false,
        false,
      ]);
    },
  },
];

/** What is dialled and set nowhere. */
export const DIALLED: readonly Pick<Row, 'feature' | 'shows'>[] = [
  {
    feature: 'the last number again, the last caller back',
    async shows(place) {
      const { a, b, own, number, tries } = wordsAt(place);
      expect(await tries(a, number(2))).toEqual(['up', 2]);
      expect(await tries(a, '*66')).toEqual(['up', 2]);
      expect(await tries(b, own)).toEqual(['up', 0]);
      expect(await tries(a, '*69')).toEqual(['up', 1]);
      expect(await tries(b, `#31#${own}`)).toEqual(['up', 0]);
      expect(await tries(a, '*69')).toEqual([404]);
    },
  },
  {
    feature: 'a call taken that rings elsewhere, by hunt too',
    async shows(place) {
      const { a, b, c, d, own, dial, over, until, tries } = wordsAt(place);
      expect(await tries(c, '*8')).toEqual([404]);
      a.manner = 'ring';
      const calling = await place.world.settle(b.dial(own));
      await until(() => last(a)?.state === 'ringing', 'the phone to ring');
      expect((await dial(d, `*8*${place.numbers[2]}#`)).status).toBe(404);
      const taking = await dial(c, `*8*${own}#`);
      expect([taking.state, calling.state, last(a).state]).toEqual(['up', 'up', 'ended']);
      a.manner = 'answer';
      await over(calling);
    },
  },
];
