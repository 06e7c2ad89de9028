import { expect, it } from 'vitest';
import type { LineRow } from '#cloud/store/directory.ts';
import { hostWorld } from '#shared/host/world.ts';
import { readIdentity } from '#shared/sip/identity.ts';
import { readToken } from '#shared/sip/passport.ts';
import type { TrunkWay } from '../trunk/trunk.ts';
import { signedWay } from './sign.ts';

const world = hostWorld();
const line = { id: 'line_1', home: 'home_1', number: '+15550100001' } as LineRow;
const way = { trunk: { id: 'trk_out', settings: {} }, called: '+442071838750' } as unknown as TrunkWay;

async function signed(call: { caller: string; line?: LineRow; cameBy?: string }) {
  const { privateKey: key } = await world.crypto.createKey();
  const signer = { x5u: 'https://c.example/a.pem', key };
  const tools = { crypto: world.crypto, secret: new Uint8Array(32) };
  const made = await signedWay(way, { ...call, called: '+442071838750', wall: 1_000 }, signer, tools);
  expect(made.headers ?? []).toEqual(made.signed === undefined ? [] : [['Date', 'Thu, 01 Jan 1970 00:00:01 GMT']]);
  const [value] = made.signed ?? [];
  return value === undefined ? undefined : readToken(readIdentity(value)?.token ?? '')?.passport;
}

it.each([
  ['the line’s own number', { caller: line.number, line }, 'A'],
  ['another number of a line of ours', { caller: '+15550100002', line }, 'B'],
  ['a number of whom nobody here knows', { caller: '+15550100002' }, 'C'],
  ['one that came by another trunk', { caller: '+15550100002', cameBy: 'trk_in' }, 'C'],
])('%s is attested as it is known (RFC 8588 section 4)', async (_name, call, attest) => {
  expect(await signed(call)).toMatchObject({ attest, orig: call.caller.slice(1) });
});

it('the origin is the same for the same home or trunk, and another for another', async () => {
  const of = async (call: Parameters<typeof signed>[0]) => (await signed(call))?.origid;
  const other = { ...line, id: 'line_2', home: 'home_2' };
  const made = [
    await of({ caller: line.number, line }),
    await of({ caller: '+15550100002', line }),
    await of({ caller: line.number, line: other }),
    await of({ caller: line.number, cameBy: 'trk_in' }),
    await of({ caller: line.number }),
  ];
  expect(made[0]).toBe(made[1]);
  expect(new Set(made).size).toBe(4);
});

it('of a caller without a number nothing is said', async () => {
  expect(await signed({ caller: 'anonymous' })).toBeUndefined();
});
