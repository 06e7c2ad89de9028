/** A home's calendar: appointments, some of them every day or week. */
import Type from 'typebox';
import type { Service, ServiceContext } from '#shared/applet/service.ts';
import { newId } from '#shared/kernel/ids.ts';
import { ok } from '#shared/kernel/result.ts';
import { At, Id, literals, Name, request } from '#shared/protocol/schema.ts';

interface Appointment {
  readonly id: string;
  readonly title: string;
  readonly at: number;
  readonly minutes: number;
  readonly repeat: 'never' | 'daily' | 'weekly';
}

const Put = request({
  id: Type.Optional(Id),
  title: Name,
  at: At,
  minutes: Type.Optional(Type.Integer({ minimum: 0, maximum: 20_160 })),
  repeat: Type.Optional(literals('never', 'daily', 'weekly')),
});

const DAY = 86_400_000;
const STEP = { never: 0, daily: DAY, weekly: 7 * DAY } as const;
/** Occurrences in one answer, and the longest span that is asked for. */
const MOST = 200;
const SPAN = 400 * DAY;

/** Times of an appointment within [from, to), oldest first. */
export function occurrences({ at, repeat }: Pick<Appointment, 'at' | 'repeat'>, from: number, to: number): number[] {
  const step = STEP[repeat];
  if (step === 0) return at >= from && at < to ? [at] : [];
  const times: number[] = [];
  const first = at + step * Math.max(0, Math.ceil((from - at) / step));
  for (let time = first; time < to && times.length < MOST; time += step) times.push(time);
  return times;
}

async function agenda({ entries }: ServiceContext, from: number, to: number) {
  const all = (await entries.list()).map(({ value }) => value as Appointment);
  return all
    .flatMap((one) => occurrences(one, from, Math.min(to, from + SPAN)).map((at) => ({ ...one, at })))
    .sort((a, b) => a.at - b.at || (a.id < b.id ? -1 : 1))
    .slice(0, MOST);
}

export const calendar: Service = {
  id: 'calendar',
  name: 'Calendar',
  about: 'Appointments of a home, also daily and weekly ones (in steps of 24 hours and 7 days).',
  price: 0,
  methods: {
    put: {
      about: 'Adds an appointment, or changes the one with this id.',
      input: Put,
      async run(
        { id, title, at, minutes = 60, repeat = 'never' }: Type.Static<typeof Put>,
        { entries, world }: ServiceContext,
      ) {
        const one: Appointment = {
          id: id ?? newId('con', world.clock.wall(), world.random.bytes(10)),
          title,
          at,
          minutes,
          repeat,
        };
        const put = await entries.put({ id: one.id, sort: String(at).padStart(16, '0'), value: one });
        return put.ok ? ok(one) : put;
      },
    },
    list: {
      about: 'What is on between two times, repetitions included; 200 entries and 400 days at most.',
      input: request({ from: At, to: At }),
      async run({ from, to }: { from: number; to: number }, context: ServiceContext) {
        return ok({ items: await agenda(context, from, to) });
      },
    },
    next: {
      about: 'The next appointment from now on.',
      input: request({}),
      async run(_input: object, context: ServiceContext) {
        const now = context.world.clock.wall();
        return ok({ next: (await agenda(context, now, now + SPAN))[0] ?? null });
      },
    },
    remove: {
      about: 'Removes an appointment with all its repetitions.',
      input: request({ id: Id }),
      async run({ id }: { id: string }, { entries }: ServiceContext) {
        await entries.remove(id);
        return ok({});
      },
    },
  },
};
