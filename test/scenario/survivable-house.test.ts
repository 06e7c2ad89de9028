/** A house that is cut off for days and goes on: its program starts again, its power fails, its disk is full for a while, its clock is put right. Every call is told once, in order, with right times. */
import { expect, it } from 'vitest';
import { virtualStage } from '#simulator/virtual-stage.ts';
import { isLong } from '../peers.ts';
import { phoneWith } from './two-homes.ts';
import { last, wordsOf } from './words.ts';

const HOUR = 3_600_000;
/** In the long suite three days and a thousand calls, else as many minutes and calls as fit into seconds. */
const { calls: CALLS, lasts: LASTS } = isLong ? { calls: 1_000, lasts: 72 * HOUR } : { calls: 90, lasts: 5 * HOUR };
const LIMIT = isLong ? 600_000 : 60_000;
/** How much of what lies between two calls is left to the calls themselves, ms. */
const TALK = 700;

interface Record {
  readonly party_from: string;
  readonly party_to: string;
  readonly start_at: number;
  readonly answer_at: number;
  readonly end_at: number;
}
const COLUMNS = 'party_from, party_to, start_at, answer_at, end_at';

it(
  'keeps every record through restarts, a power cut, a full disk and a clock that is put right',
  async () => {
    const { stage, world } = await virtualStage({ seed: 89 });
    try {
      const { until, cutOff } = wordsOf(() => stage);
      const elm = await stage.home('elm');
      const phones = [];
      for (const hertz of [443, 617, 881]) phones.push(await phoneWith(elm, hertz));
      for (const phone of phones) {
        phone.manner = 'answer';
        expect(await world.settle(phone.register(3_600))).toBe(200);
      }
      await world.run(2_000);
      world.partition(['cloud']);
      await cutOff(elm);
      await stage.killCloud();
      const disk = (full: boolean) => () => {
        elm.trouble.diskFull = full;
      };
      const at = (share: number) => Math.floor(CALLS * share);
      const happens = new Map<number, () => Promise<void> | void>([
        [at(0.1), disk(true)],
        [at(0.2), disk(false)],
        [at(0.3), () => elm.restart()],
        [
          at(0.4),
          async () => {
            elm.powerOff();
            await world.run(60_000);
            await elm.powerOn();
          },
        ],
        [at(0.5), () => world.skew('elm', 2 * HOUR)],
        [at(0.7), () => world.skew('elm', -HOUR)],
        [at(0.9), disk(true)],
        [at(0.95), disk(false)],
      ]);
      const made: { readonly from: string; readonly to: string; readonly start: number }[] = [];
      for (let n = 0; n < CALLS; n++) {
        await world.run(LASTS / CALLS - TALK);
        await happens.get(n)?.();
        const [from, to] = [n % 3, (n + 1 + (n % 2)) % 3];
        const [caller, callee] = [phones[from], phones[to]];
        if (caller === undefined || callee === undefined) throw new Error('there are three phones');
        const start = stage.ground.clock.wall();
        const call = await world.settle(caller.dial(elm.lines[to]?.number ?? ''));
        await until(() => call.state === 'up', `call ${n} to be up`);
        await world.run(TALK / 2);
        expect(last(callee).state).toBe('up');
        call.hangup();
        made.push({ from: elm.lines[from]?.number ?? '', to: elm.lines[to]?.number ?? '', start });
      }
      await world.run(60_000);
      await stage.startCloud();
      world.heal();
      await until(() => elm.gateway.agent()?.status.at === 'ready', 'the link', 300_000);
      const told = async () => (await stage.cloud.context.store.all('SELECT 1 FROM cdr')).length >= 2 * CALLS;
      await until(told, 'all records', 300_000);
      await world.run(60_000);
      const { store } = stage.cloud.context;
      const rows = await world.settle(store.all<Record>(`SELECT ${COLUMNS} FROM cdr ORDER BY rowid`));
      const calls = rows.map(({ party_from, party_to }) => `${party_from} ${party_to}`);
      // Each has two legs; they came as they were made.
      expect(calls).toEqual(made.flatMap(({ from, to }) => [`${from} ${to}`, `${from} ${to}`]));
      for (const [n, { start_at, answer_at, end_at }] of rows.entries()) {
        const { start = 0 } = made[n >> 1] ?? {};
        const late = [start_at - start, answer_at - start - 200, end_at - start - 200 - TALK / 2];
        expect([n, ...late.map((ms) => ms > -500 && ms < 500)]).toEqual([n, true, true, true]);
      }
      const load = elm.gateway.agent()?.insight().outbox;
      expect([load?.waiting, load?.lost]).toEqual([0, 0]);
    } finally {
      await stage[Symbol.asyncDispose]();
    }
  },
  LIMIT,
);
