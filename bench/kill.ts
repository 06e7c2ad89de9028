/**
 * What becomes of calls when one of two softswitch processes is killed (-9) under load, at random instants, now this one and now that:
 * SIPp calls lines of each process straight at its address, is answered after `rings` ms, and hangs up after some seconds; the main process starts what was killed
 * again at the same address. Prints calls that went well, calls that were lost while they were set up (or being answered: nobody can tell
 * of what was killed with the answer in its hands), calls that were up and are lost, and what the records say. Exits with 1 where a call that was up is lost, where a leg has no record
 * or two, or where something is left. Needs `sipp`. Takes `--seconds` and a minute.
 *
 * Run: `bin/node bench/kill.ts [--rate 300] [--seconds 30] [--rings 0] [--hold 3000] [--kills 4] [--seed 1]`
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { hasProgram } from '#test/peers.ts';
import { beginAnswering, fleetCloud } from './fleet.fixture.ts';
import { childrenOf, load, Processes } from './processes.fixture.ts';
import { calling, freePort, type Outcome, play } from './sipp.fixture.ts';

/** The steps of the scenario `calling` at which a call is up, and has ended well. */
const ANSWERED = '9_ACK_Sent';
const ENDED = '12_200_Recv';
/** Milliseconds after the last call within which all that was lost has been found to be (30 s), and is written. */
const SETTLED = 45_000;
/** Milliseconds after which a phone gives up waiting for an answer: a call whose 100 came hears no more of a process that was killed. */
const PATIENCE = 20_000;
/** Milliseconds for which a process is left alone after it was killed. */
const REST = 4_000;

const { values } = parseArgs({
  options: {
    rate: { type: 'string', default: '300' },
    seconds: { type: 'string', default: '30' },
    rings: { type: 'string', default: '0' },
    hold: { type: 'string', default: '3000' },
    kills: { type: 'string', default: '4' },
    seed: { type: 'string', default: '1' },
  },
});
const { rate, seconds, rings, hold, kills } = {
  ...{ rate: Number(values.rate), seconds: Number(values.seconds), rings: Number(values.rings) },
  ...{ hold: Number(values.hold), kills: Number(values.kills) },
};
const fits = (n: number, most: number): boolean => Number.isInteger(n) && n >= 1 && n <= most;
if (!fits(rate, 2000) || !fits(seconds, 600) || !fits(rings + 1, 15_000) || !fits(hold, 60_000) || !fits(kills, 100)) {
  console.error(
    'bench/kill.ts: --rate is 1 to 2000, --seconds 1 to 600, --rings below 15000, --hold 1 to 60000, --kills 1 to 100',
  );
  process.exit(3);
}
if (!hasProgram('sipp')) {
  console.error('bench/kill.ts: the program sipp is not installed');
  process.exit(3);
}

/** Numbers in [0, 1) that come again with the same seed (xorshift). */
function dice(seed: number): () => number {
  let state = seed | 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}

const softswitchesOf = (pid: number): number[] =>
  childrenOf(pid).filter((one) => {
    try {
      return readFileSync(`/proc/${one}/cmdline`, 'utf8').includes('softswitch/process');
    } catch {
      return false;
    }
  });

/** Kills one or the other until all kills are done; what was killed is there again before the next. */
async function killing(cloud: number): Promise<void> {
  const random = dice(Number(values.seed));
  const slice = (seconds * 1000) / kills;
  for (let n = 0; n < kills; n++) {
    const wait = Math.max(0, slice - REST) * random();
    await pause(wait);
    const pids = softswitchesOf(cloud);
    const pid = pids[Math.floor(random() * pids.length)];
    if (pid !== undefined) process.kill(pid, 'SIGKILL');
    await pause(slice - wait);
  }
}

/** What the store says once all is quiet. */
function judged(data: string) {
  const file = readdirSync(data).find((name) => name.endsWith('.db'));
  if (file === undefined) throw new Error(`no store in ${data}`);
  const store = new DatabaseSync(join(data, file), { readOnly: true });
  const one = (text: string): number => Number(Object.values(store.prepare(text).get() ?? {})[0] ?? 0);
  const found = {
    sessions: one("SELECT COUNT(*) FROM session WHERE state = 'ended'"),
    open: one("SELECT COUNT(*) FROM session WHERE state <> 'ended'"),
    channels: one('SELECT COUNT(*) FROM channel'),
    records: one('SELECT COUNT(*) FROM cdr'),
    /** Sessions of which a leg has no record. */
    unwritten: one('SELECT COUNT(*) FROM session WHERE id NOT IN (SELECT session FROM cdr)'),
    twice: one('SELECT COUNT(*) FROM (SELECT 1 FROM cdr GROUP BY session, leg HAVING COUNT(*) > 1)'),
    answered: one('SELECT COUNT(*) FROM (SELECT session FROM cdr WHERE answer_at IS NOT NULL GROUP BY session)'),
    lost: one("SELECT COUNT(DISTINCT session) FROM cdr WHERE answer_at IS NOT NULL AND reason <> 'hangup'"),
  };
  const reasons = store
    .prepare('SELECT reason, answer_at IS NOT NULL AS up, COUNT(*) AS n FROM cdr GROUP BY 1, 2 ORDER BY 3 DESC')
    .all();
  store.close();
  return { ...found, reasons: reasons.map(({ reason, up, n }) => `${n} ${reason}${up === 1 ? '' : ' unanswered'}`) };
}

const sum = (outcomes: readonly Outcome[], of: (one: Outcome) => number): number =>
  outcomes.reduce((all, one) => all + of(one), 0);

async function main(): Promise<boolean> {
  await using processes = new Processes();
  const { cloud, data, doors } = await fleetCloud(processes, 2);
  await beginAnswering(processes, doors, await freePort(), rings);
  const each = Math.ceil(rate / doors.length);
  const round = (mark: string, length: number, held: number): Promise<Outcome[]> =>
    Promise.all(
      doors.map(async ({ server, caller, callee }, i) =>
        play(processes, `${mark}-${i}`, calling(caller, callee.number, { hold: held }), {
          ...{
            rate: each,
            seconds: length,
            server,
            port: await freePort(),
            late: 40,
            patience: PATIENCE,
            counted: true,
          },
        }),
      ),
    );
  await round('warm-up', 5, 500);
  const before = judged(data);
  const [outcomes] = await Promise.all([round('calls', seconds, hold), killing(cloud.pid)]);
  await pause(SETTLED);
  const after = judged(data);
  const calls = sum(outcomes, (one) => one.calls);
  const well = calls - sum(outcomes, (one) => one.failed);
  const up = sum(outcomes, ({ steps }) => steps?.get(ANSWERED) ?? 0);
  const lost = up - sum(outcomes, ({ steps }) => steps?.get(ENDED) ?? 0);
  const answered = after.answered - before.answered;
  const halfway = after.lost - before.lost;
  console.log(
    `${kills} kills at ${rate} calls/s: ${well} of ${calls} calls went well; ${calls - up} were lost in set-up`,
  );
  console.log(
    `of ${up} that were up ${lost} were lost; ${answered} answered by the records, ${halfway} not ended by a BYE`,
  );
  const { open, channels, unwritten, twice, reasons } = after;
  console.log(`records: ${reasons.join(', ')}; sessions without: ${unwritten}; legs with two: ${twice}`);
  console.log(`left: ${open} sessions, ${channels} rows of channels; ${load()}`);
  return lost === 0 && answered - halfway >= well && open + channels + unwritten + twice === 0;
}

process.exit((await main()) ? 0 : 1);
