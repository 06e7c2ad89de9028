import { describe, expect, it } from 'vitest';
import type { DnsAnswer, NaptrRecord } from './dns-message.ts';
import { ADDRESSES, CHAIN, enumName, MADE, QUESTIONS, resolveEnum, substitute } from './enum.ts';
import { writeUri } from './uri.ts';

const NUMBER = '+442071838750';
const NAME = '0.5.7.8.3.8.1.7.0.2.4.4.e164.arpa';

type Given = Partial<NaptrRecord>;
const RULE = '!^.*$!sip:info@carrier.example!';
const record = (more: Given): NaptrRecord => ({
  ...{ order: 10, preference: 10, flags: 'U', service: 'E2U+SIP', regexp: RULE, replacement: '' },
  ...more,
});
const to = (user: string, more: Given = {}) => ({ regexp: `!^.*$!sip:${user}@carrier.example!`, ...more });
const on = (replacement: string, more: Given = {}) => ({ flags: '', service: '', regexp: '', replacement, ...more });

/** Asks a zone; the names that were asked for, and what was found. */
async function find(zone: Readonly<Record<string, readonly Given[] | 'failed'>>) {
  const asked: string[] = [];
  const lookup = async (name: string): Promise<DnsAnswer> => {
    asked.push(name);
    const here = zone[name];
    if (here === 'failed') return { outcome: 'failed', records: [], ttl: 0 };
    const records = (here ?? []).map(record);
    return { outcome: records.length > 0 ? 'found' : 'none', records, ttl: 60 };
  };
  const { uris, failed } = await resolveEnum(NUMBER, 'e164.arpa', lookup);
  return { asked, failed, uris: uris.map(writeUri) };
}
const users = async (...records: Given[]) =>
  (await find({ [NAME]: records })).uris.map((uri) => /:(.*)@/.exec(uri)?.[1]);

describe('the name of a number', () => {
  it.each([
    [NUMBER, 'e164.arpa', NAME],
    ['+1', '.private.test.', '1.private.test'],
    ['2071838750', 'e164.arpa', undefined],
    ['+44x', 'e164.arpa', undefined],
    ['+1234567890123456', 'e164.arpa', undefined],
  ])('of %s below %s is %s', (number, suffix, name) => expect(enumName(number, suffix)).toBe(name));
});

describe('a rule', () => {
  it.each<[rule: string, made: string | undefined]>([
    [RULE, 'sip:info@carrier.example'],
    ['!^\\+44(.*)$!sip:0\\1@uk.example!', 'sip:02071838750@uk.example'],
    ['/^\\+(..)(.*)$/sip:\\2@\\1.example/', 'sip:2071838750@44.example'],
    ['!^\\+44(X)?(.*)$!sip:\\1\\2@x!i', 'sip:2071838750@x'],
    ['!^.*$!sip:a\\!b@x!', 'sip:a!b@x'],
    ['#^.*$#sip:a\\\\b@x#', 'sip:a\\b@x'],
    ['|^\\+44\\|?(.*)$|sip:\\1@x|', 'sip:2071838750@x'],
    ['!^\\+49(.*)$!sip:\\1@x!', undefined],
    ['!^.*$!sip:a@x', undefined],
    ['!^.*$!sip:a@x!!', undefined],
    ['!^.*$!sip:a@x!g', undefined],
    ['!(!sip:a@x!', undefined],
    ['!^.*$!sip:a@x\\', undefined],
    ['1^.*$1sip:a@x1', undefined],
    ['', undefined],
    [`!^.*$!sip:${'a'.repeat(MADE)}!`, undefined],
    [`!^(.*)$!sip:${'\\1'.repeat(50)}!`, undefined],
  ])('%s', (rule, made) => expect(substitute(rule, NUMBER)).toBe(made));
});

describe('the addresses of a number', () => {
  it('stand under its digits backwards', async () => {
    expect(await find({ [NAME]: [{}] })).toEqual({
      ...{ asked: [NAME], failed: false, uris: ['sip:info@carrier.example'] },
    });
  });

  it('come by order and preference, those of the lowest order that fits alone', async () => {
    const nobody = { order: 1, regexp: '!^\\+1!sip:x@y!' };
    const sorted = [to('d', { order: 20 }), to('c', { preference: 30 }), to('a', { preference: 1 }), to('b'), nobody];
    expect(await users(...sorted)).toEqual(['a', 'b', 'c']);
  });

  it('are of the service sip, alone or among others', async () => {
    const services = ['E2U+SIP', 'E2U+VOICE:TEL+SIP', 'E2U+SIP:X', 'E2U+EMAIL:MAILTO', 'SIP+E2U', 'E2U', 'E2U+SIPS'];
    expect(await users(...services.map((service, i) => to(String(i), { service })))).toEqual(['0', '1', '2']);
  });

  it.each([['tel:+44207'], ['sip:carrier.example'], ['mailto:a@b'], ['sip:a@'], [`sip:${'a'.repeat(65)}@x`]])(
    'are no %s',
    async (text) => expect(await users({ regexp: `!^.*$!${text}!` })).toEqual([]),
  );

  it('bring nothing along that would lead elsewhere', async () => {
    const regexp = '!^.*$!sips:a:secret@x.example:5071;transport=tcp;maddr=10.0.0.1;lr?Route=%3Csip:y%3E!';
    expect((await find({ [NAME]: [{ regexp }] })).uris).toEqual(['sips:a@x.example:5071;transport=tcp']);
  });

  it('stand in no record that says both a rule and a name (RFC 3403 section 4.1)', async () => {
    const both = [
      to('x', { order: 1, replacement: 'next.test' }),
      on('next.test', { order: 2, regexp: RULE }),
      to('y', { order: 3 }),
    ];
    expect(await find({ [NAME]: both })).toMatchObject({ asked: [NAME], uris: ['sip:y@carrier.example'] });
  });

  it('may stand elsewhere, also by a rule, and in between is a place in the order', async () => {
    const zone = {
      [NAME]: [on('next.test', { preference: 1 }), to('last', { preference: 2 })],
      'next.test': [on('', { service: 'E2U+SIP', regexp: '!^\\+(..).*$!c\\1.test!' })],
      'c44.test': [to('first')],
    };
    expect((await find(zone)).uris.map((uri) => uri.slice(4, 8))).toEqual(['firs', 'last']);
  });

  it('are looked for so far and no further, and never in a circle', async () => {
    const chain = Object.fromEntries(Array.from({ length: 9 }, (_, i) => [`n${i}.test`, [on(`n${i + 1}.test`)]]));
    const far = await find({ [NAME]: [on('n0.test')], ...chain, 'n9.test': [to('x')] });
    expect([far.uris, far.asked.length]).toEqual([[], CHAIN + 1]);
    const circle = await find({ [NAME]: [on('a.test')], 'a.test': [on('B.test')], 'b.test': [on('A.TEST.')] });
    expect(circle.asked).toEqual([NAME, 'a.test', 'b.test']);
    const many = Array.from({ length: 20 }, (_, i) => on(`m${i}.test`));
    expect((await find({ [NAME]: many })).asked).toHaveLength(QUESTIONS);
    const all = Array.from({ length: ADDRESSES + 1 }, (_, i) => to(`u${i}`));
    expect((await find({ [NAME]: all })).uris).toHaveLength(ADDRESSES);
  });

  it('may be unknown because a server could not say', async () => {
    expect(await find({ [NAME]: 'failed' })).toMatchObject({ failed: true, uris: [] });
    expect(await find({})).toMatchObject({ failed: false, uris: [] });
  });
});
