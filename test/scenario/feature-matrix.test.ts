/** Each feature of a line by API, by page and by code; at a phone straight at the softswitch, behind a gateway, and in a house that is cut off. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { featuresOf } from '#cloud/application-server/portal/web/src/line-form.ts';
import { DIALLED, ROWS } from './feature-matrix.ts';
import { cutAt, openPlace, PLACES, type Place, restoreAt, setAt } from './feature-places.ts';
import { wordsOf } from './words.ts';

const sorted = (features: object) => Object.entries(features).toSorted(([a], [b]) => (a < b ? -1 : 1));

describe.each(PLACES)('%s', (where) => {
  let place: Place;
  const { until, code: dialCode } = wordsOf(() => place.stage);

  beforeAll(async () => {
    place = await openPlace(where, 97);
  });
  afterAll(() => place?.stage[Symbol.asyncDispose]());
  afterEach(() => restoreAt(place));

  it.each(ROWS)('$feature, by API and by page', async ({ api, page, shows }) => {
    const form = new FormData();
    for (const [name, value] of Object.entries(page(place.numbers))) form.set(name, value);
    expect(featuresOf(form)).toEqual(api(place.numbers));
    await setAt(place, api(place.numbers));
    await cutAt(place);
    await shows(place);
  });

  it.each(ROWS)('$feature, by code', async ({ api, first = {}, code, shows }) => {
    const { numbers, home, stage, world } = place;
    await setAt(place, first);
    await cutAt(place);
    const [phone] = place.phones;
    if (phone === undefined) throw new Error('there is a phone');
    for (const digits of code(numbers)) expect([digits, await dialCode(phone, digits)]).toEqual([digits, true]);
    await shows(place);
    world.heal();
    const told = async () => {
      const now = await stage.api('line.features.get', { home: home.id, line: home.lines[0]?.id ?? '' });
      return JSON.stringify(sorted(now)) === JSON.stringify(sorted(api(numbers)));
    };
    await until(told, 'the cloud to know it', 300_000);
  });

  it.each(DIALLED)('$feature', async ({ shows }) => {
    await cutAt(place);
    await shows(place);
  });
});
