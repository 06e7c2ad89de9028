/** The billing server: call detail records from the journal, rating, balances and prepaid reservations. */
import type { Handlers } from '#cloud/bus/bus.ts';
import type { Part, PartContext } from '#cloud/bus/part.ts';
import { homeById, sees } from '#cloud/store/directory.ts';
import { remember, repeated } from '#cloud/store/idempotency.ts';
import { err, ok } from '#shared/kernel/result.ts';
import type { Timer } from '#shared/kernel/world.ts';
import { fault } from '#shared/protocol/fault.ts';
import { BALANCE_LIMIT, Reservations, readBalance, setBalance } from './accounts.ts';
import { listCdrs } from './cdr-list.ts';
import { settleCharges } from './charges.ts';
import { makeRecords } from './records.ts';

/** Milliseconds between two looks into the journal when no event calls for one. */
const LOOK_EVERY = 5_000;

export const billing: Part = {
  name: 'billing',
  async start(context) {
    const { bus, store, world } = context;
    const reservations = new Reservations(store, world.clock);
    const reader = createReader(context, reservations);
    const leave = bus.serve('billing', handlers(context, reservations, reader.read));
    const forget = bus.subscribe('session.changed', () => reader.hint());
    reader.hint();
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
  /** Makes the records of everything that has ended; never two at once. */
  read(): Promise<void>;
  /** Something has ended, perhaps. */
  hint(): void;
  stop(): Promise<void>;
}

/** Reads the journal after hints, gathered for a moment, and every few seconds anyway. */
function createReader({ store, world }: PartContext, reservations: Reservations): Reader {
  const { clock, log, crypto } = world;
  let timer: Timer | undefined;
  let hinted = false;
  let stopped = false;
  let turn: Promise<void> = Promise.resolve();

  function read(): Promise<void> {
    turn = turn.then(async () => {
      await makeRecords(store, crypto);
      await settleCharges(store);
      await reservations.expire();
    });
    return turn;
  }

  function look(): void {
    hinted = false;
    if (stopped) return;
    next(LOOK_EVERY);
    read().catch((error) => {
      log.error('billing.read-failed', { error: String(error) });
      turn = Promise.resolve();
    });
  }

  function next(wait: number): void {
    timer?.cancel();
    timer = clock.at(clock.mono() + wait, look);
  }

  return {
    read,
    hint() {
      if (hinted || stopped) return;
      hinted = true;
      next(50);
    },
    async stop() {
      stopped = true;
      timer?.cancel();
      await turn.catch(() => undefined);
    },
  };
}

function handlers(
  { store, world }: PartContext,
  reservations: Reservations,
  read: () => Promise<void>,
): Handlers<'billing'> {
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

    async 'balance.set'({ home, mode, add = 0 }, asked) {
      const before = await repeated<'balance.set'>(store, asked);
      if (before !== undefined) return before;
      if (!sees(asked.principal, home) || (await homeById(store, home)) === undefined) return err(fault('not_found'));
      const known = await readBalance(store, home);
      const balance = known.balance + add;
      if (add !== 0 && Math.abs(balance) > BALANCE_LIMIT)
        return err(
          fault('limit_reached', `A balance lies between -${BALANCE_LIMIT} and ${BALANCE_LIMIT} micro-units.`),
        );
      const outcome = ok({ ...known, mode, balance });
      await store.commit([setBalance(home, mode, add), ...remember<'balance.set'>(asked, outcome, world.clock.wall())]);
      return outcome;
    },

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
