/**
 * Weather from a file that the operator keeps up to date: `services/weather.csv` under the cloud's data folder, one line per place and
 * day: `place,2026-05-01,low,high,rain mm,words`. Nothing is fetched from anywhere.
 */
import type { Service, ServiceContext } from '#shared/applet/service.ts';
import { err, ok } from '#shared/kernel/result.ts';
import { fault } from '#shared/protocol/fault.ts';
import { Name, request } from '#shared/protocol/schema.ts';

export interface Weather {
  readonly place: string;
  readonly day: string;
  /** Degrees Celsius. */
  readonly low: number;
  readonly high: number;
  /** Millimetres. */
  readonly rain: number;
  readonly words: string;
}

/** Octets of the file that are read. */
const FILE_LIMIT = 1024 * 1024;

/** The lines of the file that can be read; others are left out. */
export function readWeather(text: string): Weather[] {
  return text.split('\n').flatMap((line) => {
    const [place = '', day = '', low, high, rain, ...words] = line.split(',').map((cell) => cell.trim());
    const numbers = [low, high, rain].map((cell) => (cell === undefined || cell === '' ? Number.NaN : Number(cell)));
    if (place === '' || !/^\d{4}-\d\d-\d\d$/.test(day) || !numbers.every(Number.isFinite)) return [];
    return [
      { place, day, low: numbers[0] ?? 0, high: numbers[1] ?? 0, rain: numbers[2] ?? 0, words: words.join(', ') },
    ];
  });
}

async function load({ world, folder }: ServiceContext): Promise<Weather[]> {
  const octets = await world.disk.read(`${folder}/weather.csv`);
  return octets === undefined || octets.length > FILE_LIMIT ? [] : readWeather(new TextDecoder().decode(octets));
}

/** The day (UTC) of a time in ms. */
function dayOf(wall: number): string {
  return new Date(wall).toISOString().slice(0, 10);
}

async function on(place: string, ahead: number, context: ServiceContext) {
  const day = dayOf(context.world.clock.wall() + ahead * 86_400_000);
  const found = (await load(context)).find((one) => one.day === day && one.place.toLowerCase() === place.toLowerCase());
  if (found === undefined) return err(fault('not_found', `The operator’s file has no weather of ${place} for ${day}.`));
  const { low, high, words } = found;
  return ok({ ...found, said: `${found.place}: ${words}. ${Math.round(low)} to ${Math.round(high)} degrees.` });
}

export const weather: Service = {
  id: 'weather',
  name: 'Weather',
  about: 'Today and tomorrow by place, from the operator’s file.',
  price: 1000,
  methods: {
    today: {
      about: 'The weather of a place today (UTC).',
      input: request({ place: Name }),
      run: ({ place }: { place: string }, context: ServiceContext) => on(place, 0, context),
    },
    tomorrow: {
      about: 'The weather of a place tomorrow (UTC).',
      input: request({ place: Name }),
      run: ({ place }: { place: string }, context: ServiceContext) => on(place, 1, context),
    },
    places: {
      about: 'The places that the file knows.',
      input: request({}),
      async run(_input: object, context: ServiceContext) {
        return ok({ items: [...new Set((await load(context)).map(({ place }) => place))].sort() });
      },
    },
  },
};
