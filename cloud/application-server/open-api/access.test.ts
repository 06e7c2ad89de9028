import { describe, expect, test } from 'vitest';
import type { Principal } from '#cloud/bus/bus.ts';
import type { Role } from '#shared/protocol/verb.ts';
import { type VerbName, verbEntry, verbs } from '#shared/protocol/verbs/index.ts';
import { homeFault, mayCall, nobody } from './access.ts';

type Account = Extract<Principal, { kind: 'account' }>;

const account = (role: Role, more: Partial<Account> = {}): Account => ({
  kind: 'account',
  account: 'acc_1',
  role,
  homes: ['home_1'],
  scopes: 'all',
  ...more,
});
const entryOf = (verb: VerbName) => {
  const entry = verbEntry(verb);
  if (entry === undefined) throw new Error(verb);
  return entry;
};

describe('mayCall', () => {
  test.each([
    ['home.list', account('operator'), undefined],
    ['home.list', account('subscriber'), undefined],
    ['home.list', account('technician'), undefined],
    ['cdr.list', account('technician'), 'forbidden'],
    ['line.create', account('technician'), 'forbidden'],
    ['home.list', account('developer'), 'forbidden'],
    ['home.list', undefined, 'unauthorized'],
    ['home.list', nobody, 'forbidden'],
    ['home.create', account('subscriber'), 'forbidden'],
    ['alarm.list', account('technician'), undefined],
    ['media.list', account('developer'), undefined],
    ['home.list', account('subscriber', { scopes: ['homes:read'] }), undefined],
    ['home.list', account('subscriber', { scopes: ['homes:write'] }), 'forbidden'],
    ['home.list', { kind: 'gateway', gateway: 'gw_1', home: 'home_1' }, 'forbidden'],
    ['home.list', { kind: 'applicant', keyHash: '0' }, 'forbidden'],
    ['auth.sign-in', undefined, undefined],
  ] as const)('%s as %o: %s', (verb, principal, code) => expect(mayCall(entryOf(verb), principal)?.code).toBe(code));

  test('nobody gets anything but sign-in, and no inner verb is open to any account', () => {
    for (const name of Object.keys(verbs) as VerbName[]) {
      const entry = entryOf(name);
      expect([name, mayCall(entry, nobody) === undefined]).toEqual([name, entry.http?.open === true]);
      if (entry.scope === undefined && entry.http?.open !== true)
        expect([name, mayCall(entry, account('operator', { homes: 'all' }))?.code]).toEqual([name, 'forbidden']);
    }
  });
});

describe('homeFault', () => {
  test.each([
    [account('subscriber'), { home: 'home_1' }, undefined],
    [account('subscriber'), { home: 'home_2' }, 'not_found'],
    [account('subscriber'), {}, undefined],
    [account('subscriber', { homes: [] }), { home: 'home_1' }, 'not_found'],
    [account('operator', { homes: 'all' }), { home: 'home_2' }, undefined],
    [account('subscriber', { homes: 'all' }), { home: 'home_2' }, 'not_found'],
    [{ kind: 'gateway', gateway: 'gw_1', home: 'home_1' } as const, { home: 'home_2' }, 'not_found'],
  ])('%o asks %o: %s', (principal, request, code) => expect(homeFault(principal, request)?.code).toBe(code));
});
