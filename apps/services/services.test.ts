import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { utf8 } from '#shared/kernel/bytes.ts';
import { levelOf } from '#shared/rtp/measure.ts';
import { TestCloud } from '#test/api/fixture.ts';
import { occurrences } from './calendar.ts';
import { phones } from './speech/phones.ts';
import { speak } from './speech/synthesis.ts';
import { numberWords, textSounds, wordSounds } from './speech/words.ts';
import { TEXT_LIMIT } from './text-to-speech.ts';
import { readWeather } from './weather.ts';

describe('speech', () => {
  it.each([
    ['0', 'zero'],
    ['19', 'nineteen'],
    ['20', 'twenty'],
    ['305', 'three hundred five'],
    ['42000', 'forty two thousand'],
    ['999999', 'nine hundred ninety nine thousand nine hundred ninety nine'],
    ['007', 'zero zero seven'],
    ['15550100', 'one five five five zero one zero zero'],
  ])('says %s as %s', (digits, words) => expect(numberWords(digits).join(' ')).toBe(words));

  it.each([
    ['station', 'S T EY SH AX N'.replace('EY', 'AE')],
    ['night', 'N AY T'],
    ['cheese', 'CH IY Z'.replace('Z', 'S')],
    ['rain', 'R EY N'],
    ['kitchen', 'K IH CH EH N'],
    ['home', 'HH OW M'],
    ['make', 'M EY K'],
    ['phone', 'F OW N'],
    ['sky', 'S K AY'],
    ['family', 'F AE M IH L IY'],
    ['bell', 'B EH L'],
    ['thing', 'TH IH NG'],
    ['jumped', 'JH AH M P T'],
    ['queue', 'K W EH UW'],
  ])('%s sounds %s', (word, sounds) => expect(wordSounds(word).join(' ')).toBe(sounds));

  it('knows every sound that it writes, and makes words of any text', () => {
    for (const text of [
      'Dinner is at 7, in the kitchen!',
      "It's -5 degrees.",
      'quick brown fox jumps over the lazy dog',
      'Łódź 3',
      '日本',
    ])
      for (const sound of textSounds(text)) expect(Object.hasOwn(phones, sound)).toBe(true);
    expect(textSounds('日本 ...')).toEqual([]);
  });

  it('vowels have their formants: the first two stand out of what lies between and beside them', () => {
    for (const sound of ['IY', 'AA', 'UW', 'EH']) {
      const [f1, f2] = phones[sound]?.formants ?? [0, 0];
      const samples = speak(Array.from({ length: 8 }, () => sound));
      // Partials of the pitch lie about 100 Hz apart; each band takes the strongest.
      const band = (centre: number) =>
        Math.max(...Array.from({ length: 17 }, (_none, i) => levelOf(samples, Math.max(60, centre - 80 + 10 * i))));
      expect(band(f1)).toBeGreaterThan(band(3600) + 15);
      if (f2 - f1 > 900) expect(band(f2)).toBeGreaterThan(band((f1 + f2) / 2));
    }
  });

  it('is silent in pauses and in the closure of stops, and loud at half of full scale', () => {
    const samples = speak(['AA', '_', 'T', 'AA']);
    const peak = (from: number, to: number) =>
      samples.subarray(from * 8, to * 8).reduce((most, one) => Math.max(most, Math.abs(one)), 0);
    expect(peak(0, 140)).toBeGreaterThan(8000);
    expect(peak(190, 230)).toBeLessThan(400);
    expect(peak(0, 455)).toBe(16_384);
  });
});

it('the calendar repeats', () => {
  const day = 86_400_000;
  expect(occurrences({ at: 10, repeat: 'never' }, 0, 20)).toEqual([10]);
  expect(occurrences({ at: 10, repeat: 'never' }, 11, 20)).toEqual([]);
  expect(occurrences({ at: 10, repeat: 'daily' }, 3 * day, 5 * day)).toEqual([3 * day + 10, 4 * day + 10]);
  expect(occurrences({ at: 10, repeat: 'weekly' }, 0, 8 * day)).toEqual([10, 7 * day + 10]);
});

it('the weather is read line by line, and lines that are none are left out', () => {
  expect(
    readWeather('# x\nAberdeen,2026-01-01,-2,4.5,0,Snow, then sun\nbad,2026-1-1,1,2,3,x\nOslo,2026-01-01,,2,3,x\n'),
  ).toEqual([{ place: 'Aberdeen', day: '2026-01-01', low: -2, high: 4.5, rain: 0, words: 'Snow, then sun' }]);
});

describe('services at the open API', () => {
  let cloud: TestCloud;
  let home: string;
  beforeAll(async () => {
    cloud = await TestCloud.start();
    home = (await cloud.call('home.create', { name: 'elm' })).id;
  });
  afterAll(() => cloud.stop());
  const use = async (service: string, method: string, input: object = {}) =>
    (await cloud.call('service.call', { home, service, method, input })).result as never;

  it('say a text into a media item that a phone plays', async () => {
    const { item, seconds } = (await use('text-to-speech', 'say', { text: 'Hello. It is 7 o clock.' })) as {
      item: string;
      seconds: number;
    };
    expect(seconds).toBeGreaterThan(1.5);
    const line = await cloud.call('line.create', { home });
    const phone = await cloud.phone(line);
    const { id } = await cloud.call('media.play', { to: line.id, item });
    await cloud.world.run(2000);
    expect((await cloud.call('session.get', { session: id })).legs[0]).toMatchObject({ state: 'up' });
    const heard = phone.calls[0]?.heard() ?? new Int16Array();
    expect(heard.reduce((most, one) => Math.max(most, Math.abs(one)), 0)).toBeGreaterThan(8000);
    await cloud.call('session.end', { session: id });
    const { item: again } = (await use('text-to-speech', 'say', { text: 'Hello. It is 7 o clock.' })) as {
      item: string;
    };
    expect(again).toBe(item);
  });

  it('refuse what is no text, too long, unknown', async () => {
    const refused = async (service: string, method: string, input: object) =>
      (await cloud.ask({ method: 'POST', url: `/v1/homes/${home}/services/${service}`, body: { method, input } })).body
        .code;
    expect(await refused('text-to-speech', 'say', { text: 'x'.repeat(TEXT_LIMIT + 1) })).toBe('bad_request');
    expect(await refused('text-to-speech', 'say', { text: '…' })).toBe('bad_request');
    expect(await refused('text-to-speech', 'sing', {})).toBe('service_unknown');
    expect(await refused('constructor', 'say', {})).toBe('service_unknown');
    expect(await refused('calendar', 'constructor', {})).toBe('service_unknown');
    expect(await refused('weather', 'today', { place: 'Nowhere' })).toBe('not_found');
  });

  it('keep contacts and appointments of each home apart', async () => {
    const { id } = (await use('address-book', 'put', {
      name: 'Ada Lovelace',
      party: '+15550100042',
      groups: ['family'],
    })) as { id: string };
    expect(await use('address-book', 'find', { name: 'love' })).toMatchObject({ items: [{ id }] });
    expect(await use('address-book', 'find', { group: 'work' })).toEqual({ items: [] });
    expect(await use('address-book', 'who', { party: '+15550100042' })).toMatchObject({ name: 'Ada Lovelace' });
    const other = (await cloud.call('home.create', { name: 'oak' })).id;
    expect((await cloud.call('service.call', { home: other, service: 'address-book', method: 'find' })).result).toEqual(
      { items: [] },
    );
    await use('address-book', 'remove', { id });
    expect(await use('address-book', 'find')).toEqual({ items: [] });
    const at = cloud.world.host('x', ['10.9.9.9']).clock.wall() + 1000;
    await use('calendar', 'put', { title: 'Tea', at, repeat: 'daily' });
    expect(await use('calendar', 'next')).toMatchObject({ next: { title: 'Tea', at } });
  });

  it('tell the weather of the operator’s file', async () => {
    const day = new Date(cloud.world.host('x', ['10.9.9.9']).clock.wall()).toISOString().slice(0, 10);
    await cloud.world.disk('cloud').write('/data/services/weather.csv', utf8(`Aberdeen,${day},2,7,1,Showers\n`));
    expect(await use('weather', 'today', { place: 'aberdeen' })).toMatchObject({
      high: 7,
      said: 'Aberdeen: Showers. 2 to 7 degrees.',
    });
    expect(await use('weather', 'places')).toEqual({ items: ['Aberdeen'] });
  });
});
