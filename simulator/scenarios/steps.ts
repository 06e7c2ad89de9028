/** Steps and expectations that several scenarios share. */
import { levelOf } from '#shared/rtp/measure.ts';
import type { StageHome } from '../home.ts';
import type { PhoneCall } from '../phone.ts';
import { lastCall, type Run, type Step } from '../scenario.ts';
import { tone } from '../voice.ts';

/** Homes that are paired, phones that are registered, calls that are set up at the same time. */
const AT_ONCE = 8;
/** Milliseconds within which a session is over whose last leg has ended: a lease, and some room. */
const OVER_WITHIN = 45_000;
/** What the phones of a home say: two tones, so that neighbours differ. */
const TONES = [443, 617] as const;
/** dBFS above which a tone counts as heard, and how much weaker the own one must be. */
const AUDIBLE = -30;
const APART = 25;

export const toneOf = (index: number): number => TONES[index % 2] ?? TONES[0];

/** Every home boots, shows a code, is claimed and paired. */
export function pairHomes(run: Run): Step {
  return {
    name: `${run.homeCount} gateways boot and are paired by their codes`,
    run: async () => {
      const names = Array.from({ length: run.homeCount }, (_, i) => `home-${i + 1}`);
      await run.each(names, AT_ONCE, (name) => run.stage.home(name));
      run.stage.homes.sort((a, b) => names.indexOf(a.name) - names.indexOf(b.name));
    },
  };
}

/** Every home gets so many phones, registered at its gateway. */
export function registerPhones(run: Run, each = 1): Step {
  return {
    name: each === 1 ? 'a phone of each home registers' : `${each} phones of each home register`,
    run: async () => {
      await run.each(run.homes, AT_ONCE, async (home, index) => {
        const phones = [];
        for (let i = 0; i < each; i++)
          phones.push(await home.phone({ manner: 'answer', voice: tone(toneOf(index + i), 1) }));
        run.phones.set(home, phones);
      });
    },
  };
}

/** Homes side by side: first and second, third and fourth …; one that is left over has nobody. */
export function pairsOf(homes: readonly StageHome[]): (readonly [StageHome, StageHome])[] {
  const pairs: (readonly [StageHome, StageHome])[] = [];
  for (let i = 0; i + 1 < homes.length; i += 2) pairs.push([homes[i] as StageHome, homes[i + 1] as StageHome]);
  return pairs;
}

export interface Talk {
  readonly call: PhoneCall;
  readonly answered: PhoneCall;
  readonly from: StageHome;
  readonly to: StageHome;
}

/** A phone calls the other home, and is answered; the set-up is measured. */
export async function callHome(run: Run, from: StageHome, to: StageHome): Promise<Talk> {
  const caller = run.phone(from);
  const call = await run.timed('call-setup', async () => {
    const made = await run.stage.ground.settle(caller.dial(run.number(to)));
    await run.until(() => made.state === 'up' || made.state === 'ended', 15_000, `${from.name} to reach ${to.name}`);
    return made;
  });
  run.expect(call.state === 'up', `${to.name} to answer ${from.name}, not status ${call.status}`);
  return { call, answered: lastCall(run.phone(to)), from, to };
}

/** Every pair of homes calls each other. */
export function callAll(run: Run, talks: Talk[]): Step {
  return {
    name: 'each home calls its neighbour',
    run: async () => {
      talks.push(...(await run.each(pairsOf(run.homes), AT_ONCE, ([from, to]) => callHome(run, from, to))));
    },
  };
}

/** Throws unless the last second holds the other's tone, and the own one not. */
export function expectHears(run: Run, who: string, samples: Int16Array, other: number, own: number): void {
  const tail = samples.subarray(Math.max(0, samples.length - 8000));
  const [theirs, ours] = [levelOf(tail, other), levelOf(tail, own)];
  run.expect(theirs > AUDIBLE, `${who} to hear the other at ${other} Hz; its level is ${theirs.toFixed(0)} dBFS`);
  run.expect(ours < theirs - APART, `${who} not to hear itself; its own level is ${ours.toFixed(0)} dBFS`);
}

/** Both ends of every call hear each other. */
export function hearEachOther(run: Run, talks: readonly Talk[]): Step {
  return {
    name: 'both ends of each call hear the other and not themselves',
    run: async () => {
      await run.pass(2_500);
      for (const talk of talks) {
        const [a, b] = [run.homes.indexOf(talk.from), run.homes.indexOf(talk.to)].map(toneOf) as [number, number];
        expectHears(run, talk.from.name, talk.call.heard(), b, a);
        expectHears(run, talk.to.name, talk.answered.heard(), a, b);
      }
    },
  };
}

/** Every call is ended by its caller, and the other side hears of it. */
export function hangUp(run: Run, talks: readonly Talk[]): Step {
  return {
    name: 'the callers hang up',
    run: async () => {
      for (const { call } of talks) call.hangup();
      await run.until(
        () => talks.every(({ answered }) => answered.state === 'ended'),
        10_000,
        'the other sides to end',
      );
    },
  };
}

/** Every list of the API to its end. */
export async function allOf<T>(
  page: (cursor: { after?: string }) => Promise<{ items: T[]; next?: string }>,
): Promise<T[]> {
  const items: T[] = [];
  for (let next: string | undefined, first = true; first || next !== undefined; first = false) {
    const got = await page(next === undefined ? {} : { after: next });
    items.push(...got.items);
    next = got.next;
  }
  return items;
}

export const sessionsOf = (run: Run) => allOf((cursor) => run.api('session.list', { ...cursor }));
export const recordsOf = (run: Run) => allOf((cursor) => run.api('cdr.list', { ...cursor }));

/** Each ended session has so many records, no leg twice; nothing lives. */
export function recordsAre(run: Run, sessions: () => number, each: number): Step {
  return {
    name: `each call has ${each} records, none lost and none double`,
    run: async () => {
      const wanted = () => sessions() * each;
      await run.until(async () => (await recordsOf(run)).length >= wanted(), 60_000, `${wanted()} records`);
      await run.pass(2_000);
      const records = await recordsOf(run);
      run.expect(records.length === wanted(), `${wanted()} records, not ${records.length}`);
      run.expect(new Set(records.map(({ leg }) => leg)).size === records.length, 'one record for each leg');
      const allOver = async () => (await sessionsOf(run)).every(({ state }) => state === 'ended');
      await run.until(allOver, OVER_WITHIN, 'every session to be over');
    },
  };
}

/** Every gateway says that it is connected and greeted. */
export const isReady = (home: StageHome): boolean => home.isOn && home.gateway.agent()?.status.at === 'ready';

/** Waits until all gateways are connected again, and measures each from `since`. */
export async function reconnected(run: Run, since: number, limit: number): Promise<void> {
  const away = new Set(run.homes);
  await run.until(
    () => {
      for (const home of [...away]) {
        if (!isReady(home)) continue;
        away.delete(home);
        run.measure('reconnect', run.now - since);
      }
      return away.size === 0;
    },
    limit,
    `all ${run.homes.length} gateways to be back`,
  );
}

/** Waits until every gateway's flow to the softswitch is up. */
export const flowsUp = (run: Run, limit = 60_000): Promise<void> =>
  run.until(() => run.homes.every((home) => home.gateway.status().voice.flow === 'up'), limit, 'every flow to be up');
