/** The verbs of sign-in. Every failure does the same work and gives the same answer, so that neither tells which names exist. */
import type { Context, Handler, Handlers, Outcome } from '#cloud/bus/bus.ts';
import type { PartContext } from '#cloud/bus/part.ts';
import { accountById, createToken, homesOfAccount, removeToken } from '#cloud/store/directory.ts';
import { checkPassword } from '#cloud/store/passwords.ts';
import { Budget, type Rate } from '#shared/kernel/budget.ts';
import { err, ok } from '#shared/kernel/result.ts';
import { fault } from '#shared/protocol/fault.ts';
import type { Role } from '#shared/protocol/verb.ts';
import type { VerbRequest } from '#shared/protocol/verbs/index.ts';
import { identify, OPERATOR, SESSION_LENGTH } from './credentials.ts';

/** Tries per account name and source. */
export const SIGN_IN_RATE: Rate = { perSecond: 5 / 60, burst: 5 };

interface Person {
  readonly account: string;
  readonly name: string;
  readonly role: Role;
}

const refused = err(fault('unauthorized', 'The name and password, or the token, are not right.'));

/** Handlers of `auth.*`. Tries are counted in memory and forgiven by a sign-in that succeeds. */
export function signInHandlers(
  context: PartContext,
): Pick<Handlers<'application-server'>, 'auth.sign-in' | 'auth.sign-out' | 'auth.self'> {
  const { store, world } = context;
  const tries = new Budget();

  const signIn: Handler<'auth.sign-in'> = async (request, { channel }) => {
    const key = `${channel?.source ?? ''} ${request.name?.toLowerCase() ?? ''}`;
    const wait = tries.take(key, SIGN_IN_RATE, world.clock.mono());
    if (wait > 0) return err(fault('rate_limited', 'Too many tries to sign in.', { retryAfter: wait }));
    const person = await whoIs(context, request);
    if (person === undefined) return refused;
    tries.forget(key);
    const { account, role } = person;
    const token = await createToken(store, world, { account, role, lifetime: SESSION_LENGTH });
    return ok({ token, ...person, homes: role === 'operator' ? [] : await homesOfAccount(store, account) });
  };

  return {
    'auth.sign-in': signIn,
    'auth.sign-out': (_request, asked) => signOut(context, asked),
    'auth.self': (_request, asked) => self(context, asked),
  };
}

/** The person behind a token or a name and password. */
async function whoIs(context: PartContext, request: VerbRequest<'auth.sign-in'>): Promise<Person | undefined> {
  const { store, world } = context;
  if (request.token !== undefined) {
    const credential = await identify(store, world, request.token);
    if (credential === undefined) return undefined;
    const { account, role } = credential.principal;
    return { account, role, name: await nameOf(context, account) };
  }
  const row = await checkPassword(store, world, request.name ?? '', request.password ?? '');
  return row === undefined ? undefined : { account: row.id, name: row.name, role: row.role };
}

async function nameOf({ store }: PartContext, account: string): Promise<string> {
  return account === OPERATOR ? OPERATOR : ((await accountById(store, account))?.name ?? account);
}

async function signOut({ store }: PartContext, { channel }: Context): Promise<Outcome<'auth.sign-out'>> {
  const hash = channel?.tokenHash;
  if (hash === undefined) return err(fault('unauthorized'));
  const row = await store.one<{ expires_at: number | null }>('SELECT expires_at FROM token WHERE hash = ?', [hash]);
  if (row?.expires_at === null)
    return err(fault('conflict', 'This token is no sign-in: it lasts as long as the cloud’s data.'));
  await removeToken(store, hash);
  return ok({});
}

async function self(context: PartContext, { principal }: Context): Promise<Outcome<'auth.self'>> {
  if (principal.kind !== 'account') return err(fault('forbidden'));
  const { account, role, homes } = principal;
  const name = await nameOf(context, account);
  return ok({ account, name, role, homes: homes === 'all' ? [] : [...homes], allHomes: homes === 'all' });
}
