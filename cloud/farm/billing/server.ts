/** The billing server: call detail records from the journal, rating, balances and prepaid reservations. */
import type { Context, Handlers, Outcome } from '#cloud/bus/bus.ts';
import type { Part, PartContext } from '#cloud/bus/part.ts';
import { homeById, sees } from '#cloud/store/directory.ts';
import { remember, repeated } from '#cloud/store/idempotency.ts';
import { err, ok } from '#shared/kernel/result.ts';
import type { Timer } from '#shared/kernel/world.ts';
import { fault } from '#shared/protocol/fault.ts';
import type { VerbRequest } from '#shared/protocol/verbs/index.ts';
import { BALANCE_LIMIT, Reservations, readBalance, setBalance } from './accounts.ts';
import { listCdrs } from './cdr-list.ts';
import { settleCharges } from './charges.ts';
import { Heard } from './heard.ts';
import { makeRecords } from './records.ts';

/** Milliseconds between two looks into the journal when no event calls for one, and after an event. */
const LOOK_EVERY = 5_000;
const GATHER = 50;

export const billing: Part = {
  name: 'billing',
  async start(context) {
    const { bus, store, world } = context;
    const reservations: Reservations = new Reservations(store, world.clock, () => reader.read());
    const reader = createReader(context, reservations);
    const leave = bus.serve('billing', handlers(context, reservations, reader.read));
    const forget = bus.subscribe('session.changed', ({ session, ended }) => {
      if (ended === undefined) return;
      reader.heard.add(session, ended);
      reader.hint();
    });
    reader.begin();
    return {
      health: () => ({ state: 'running', load: 0, legs: 0 }),
      async stop() {
        leave();
        forget();
        await reader.stop();
      },
    };
  },
};

interface Reader {
  readonly heard: Heard;
  /** Makes the records of everything that has ended; never two at once. */
  read(): Promise<void>;
  /** Something has ended, and was heard of. */
  hint(): void;
  begin(): void;
  stop(): Promise<void>;
}

/** Bills what was heard of, gathered for a moment, and reads the journal at the start, after a silence and when somebody asks. */
function createReader({ store, world }: PartContext, reservations: Reservations): Reader {
  const { clock, log } = world;
  const heard = new Heard();
  let timer: Timer | undefined;
  let hinted = false;
  /** The next look is for all that the journal says, not only for what was heard. */
  let all = true;
  let stopped = false;
  let turn: Promise<void> = Promise.resolve();

  function read(all = true): Promise<void> {
    const done = turn.then(async () => {
      await makeRecords(store, heard, all);
      await settleCharges(store);
      await reservations.expire();
    });
    // One that failed is over: the next one looks for itself.
    turn = done.catch(() => undefined);
    return done;
  }

  function look(): void {
    const whole = all;
    hinted = false;
    all = true;
    if (stopped) return;
    next(LOOK_EVERY);
    read(whole).catch((error) => log.error('billing.read-failed', { error: String(error) }));
  }

  function soon(): void {
    hinted = true;
    next(GATHER);
  }

  function next(wait: number): void {
    timer?.cancel();
    timer = clock.at(clock.mono() + wait, look);
  }

  return {
    heard,
    read: () => read(),
    hint() {
      if (hinted || stopped) return;
      all = false;
      soon();
    },
    begin: soon,
    async stop() {
      stopped = true;
      timer?.cancel();
      await turn;
    },
  };
}

function handlers(
  { store, world }: PartContext,
  reservations: Reservations,
  read: () => Promise<void>,
): Handlers<'billing'> {
  async function setOne(
    { home, mode, add = 0 }: VerbRequest<'balance.set'>,
    asked: Context,
  ): Promise<Outcome<'balance.set'>> {
    const before = await repeated<'balance.set'>(store, asked);
    if (before !== undefined) return before;
    if (!sees(asked.principal, home) || (await homeById(store, home)) === undefined) return err(fault('not_found'));
    const known = await readBalance(store, home);
    const balance = known.balance + add;
    if (add !== 0 && Math.abs(balance) > BALANCE_LIMIT)
      return err(fault('limit_reached', `A balance lies between -${BALANCE_LIMIT} and ${BALANCE_LIMIT} micro-units.`));
    const outcome = ok({ ...known, mode, balance });
    await store.commit([setBalance(home, mode, add), ...remember<'balance.set'>(asked, outcome, world.clock.wall())]);
    return outcome;
  }

  return {
    async 'cdr.list'(request, { principal }) {
      if (request.home !== undefined && !sees(principal, request.home)) return err(fault('not_found'));
      await read();
      return ok(await listCdrs(store, principal, request));
    },

    async 'balance.get'({ home }, { principal }) {
      if (!sees(principal, home) || (await homeById(store, home)) === undefined) return err(fault('not_found'));
      await read();
      return ok(await readBalance(store, home));
    },

    'balance.set': (request, asked) => reservations.alone(request.home, () => setOne(request, asked)),

    'billing.reserve': (request) => reservations.reserve(request),

    async 'billing.release'({ session, leg }) {
      await reservations.release(session, leg);
      return ok({});
    },

    async 'billing.reservation.list'() {
      const items = await store.all<{ session: string; leg: string; home: string; amount: number }>(
        'SELECT session, leg, home, amount FROM reservation',
      );
      return ok({ items });
    },
  };
}
