/** Accounts: names, roles and the homes that they see. Passwords are kept as scrypt hashes. */
import type { Handlers } from '#cloud/bus/bus.ts';
import { type AccountRow, homeById } from '#cloud/store/directory.ts';
import { newPassword } from '#cloud/store/passwords.ts';
import { sql } from '#cloud/store/store.ts';
import { err, ok } from '#shared/kernel/result.ts';
import { fault } from '#shared/protocol/fault.ts';
import type { VerbReply } from '#shared/protocol/verbs/index.ts';
import { command, makeId, type Oamp, page } from './parts.ts';

type Account = VerbReply<'account.create'>;

export function accountHandlers(oamp: Oamp): Pick<Handlers<'oamp'>, 'account.create' | 'account.list'> {
  const { store, world } = oamp;
  return {
    'account.create': (request, context) =>
      command<'account.create'>(
        oamp,
        context,
        async () => {
          const homes = [...new Set(request.homes)];
          if (homes.length > 0 && (request.role === 'operator' || request.role === 'technician')) {
            const why =
              'An operator sees all homes, a technician those whose owners consent: leave homes empty for these roles.';
            return err(fault('bad_request', why, { pointer: '/homes' }));
          }
          for (const home of homes) {
            if ((await homeById(store, home)) === undefined)
              return err(fault('not_found', undefined, { pointer: '/homes' }));
          }
          const secret = await newPassword(world, request.password);
          const account: Account = { id: makeId(world, 'acc'), name: request.name, role: request.role, homes };
          return ok({
            reply: account,
            statements: [
              sql(
                'INSERT INTO account (id, name, role, salt, password_hash, created_at) VALUES (?, ?, ?, ?, ?, ?)',
                account.id,
                account.name,
                account.role,
                secret.salt,
                secret.hash,
                world.clock.wall(),
              ),
              ...homes.map((home) => sql('INSERT INTO account_home (account, home) VALUES (?, ?)', account.id, home)),
            ],
          });
        },
        (failure) => (failure.why === 'unique' ? fault('account_taken') : undefined),
      ),
    async 'account.list'(request) {
      const found = await page<AccountRow>(store, 'SELECT * FROM account WHERE 1 = 1', [], request);
      const ids = found.rows.map((row) => row.id);
      const links = await store.all<{ account: string; home: string }>(
        `SELECT account, home FROM account_home WHERE account IN (${ids.map(() => '?').join(', ') || 'NULL'}) ORDER BY home`,
        ids,
      );
      const items = found.rows.map(({ id, name, role }): Account => {
        return { id, name, role, homes: links.filter((link) => link.account === id).map((link) => link.home) };
      });
      return ok({ items, ...(found.next === undefined ? {} : { next: found.next }) });
    },
  };
}
