/** Calls that a line sends on to the outside in the name of who calls: the chain of signatures (RFC 8946), made here and checked here. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { VerbRequest } from '#shared/protocol/verbs/index.ts';
import { readIdentity } from '#shared/sip/identity.ts';
import { readFull, readSent, readToken } from '#shared/sip/passport.ts';
import type { Phone, PhoneCall } from '#simulator/phone.ts';
import { type Carrier, carrier, headerIn, requestOf, trunkTo } from '#test/support/carrier.ts';
import { type Authority, authority, type Signer, signer } from '#test/support/signer.ts';
import { type Line, Operator } from './operator.ts';

const far = '+442071838750';
/** A number outside that becomes one of ours. */
const LATER = '+15550109003';
const OWN = 'https://c.example/own.pem';
const THEIRS = 'https://c.example/theirs.pem';

let operator: Operator;
let a: Line;
let b: Line;
let alice: Phone;
let out: Carrier;
let came: Carrier;
let root: Authority;
let theirs: Signer;

beforeEach(async () => {
  operator = await Operator.start(69);
  a = await operator.line(await operator.home('home_1'), 1);
  b = await operator.line('home_1', 2);
  alice = await operator.ready(a);
  [out, came] = [await carrier(operator.world, '10.5.0.1'), await carrier(operator.world, '10.5.0.2')];
  root = await authority(operator.cloud);
  const own = await signer(operator.cloud, root, OWN);
  theirs = await signer(operator.cloud, root, THEIRS);
  operator.world.host('repository', ['10.6.0.1']);
  operator.world.serveHttp('repository', 'c.example:443', async ({ path }) => {
    const body = path === '/own.pem' ? own.chain : theirs.chain;
    return { status: 200, body, headers: {} };
  });
  await operator.ask('identity.set', {
    ...{ x5u: OWN, chain: own.chain, key: own.key.privateKey },
    ...{ authorities: root.certificate, hosts: ['c.example'] },
  });
  await trunkTowards(out, { identity: { out: 'sign', sentOn: 'chain' }, prefixes: ['+44', '+15550109'] });
  await sends(b, far);
});
afterEach(() => operator.stop());

const trunkTowards = (to: Carrier, more: Partial<VerbRequest<'trunk.create'>>) =>
  operator.ask('trunk.create', trunkTo(to, { probeEvery: 0, ...more }));
const sends = ({ id: line }: Line, always: string) =>
  operator.ask('line.features.set', { home: 'home_1', line, features: { forward: { always } } });
const up = (call: PhoneCall) => operator.world.until(() => call.state === 'up', 20_000, `the answer: ${call.status}`);

/** The values of Identity on their way out, read. */
function signatures() {
  const head = requestOf(out, 'INVITE').split('\r\n\r\n')[0] ?? '';
  const values = head.split('\r\n').flatMap((line) => (line.startsWith('Identity: ') ? [line.slice(10)] : []));
  return values.map((value) => {
    const { token = '', ppt } = readIdentity(value) ?? {};
    return { value, ppt, passport: (readToken(token) ?? readSent(token))?.passport };
  });
}
const digits = (number: string) => number.slice(1);

/** A call by a trunk that wants signatures, and what became of it. */
async function comes(values: readonly string[], called: string): Promise<number | 'up'> {
  const call = await operator.world.settle(came.phone.dial(called, headers(values, a.number)));
  await operator.world.until(() => call.state === 'up' || call.state === 'ended', 20_000, 'an outcome');
  return call.state === 'up' ? 'up' : call.status;
}
const headers = (values: readonly string[], caller: string): [string, string][] => [
  ['P-Asserted-Identity', `<sip:${caller}@x>`],
  ...values.map((value): [string, string] => ['Identity', value]),
];

test('a call from one of our lines leaves in its name, with our word for who sent it on', async () => {
  await up(await alice.dial(b.number));
  const invite = requestOf(out, 'INVITE');
  expect(headerIn(invite, 'P-Asserted-Identity')).toContain(a.number);
  expect(headerIn(invite, 'Diversion')).toContain(b.number);
  expect(signatures()).toMatchObject([
    { ppt: 'shaken', passport: { attest: 'A', orig: digits(a.number), dest: { tn: [digits(b.number)] } } },
    { ppt: 'div', passport: { orig: digits(a.number), div: digits(b.number), dest: { tn: [digits(far)] } } },
  ]);
});

test('and by two of them it is checked as a whole where it comes in', async () => {
  const d = await operator.line('home_1', 4);
  await sends(d, b.number);
  await sends(b, LATER);
  await up(await alice.dial(d.number));
  const all = signatures();
  expect(all.map(({ passport }) => passport && 'div' in passport && passport.div)).toEqual([
    ...[false, digits(d.number), digits(b.number)],
  ]);
  const values = all.map(({ value }) => value);
  // The number outside becomes a line of ours, so that its own call comes back as one that somebody else sent.
  const c = await operator.line('home_1', 8003);
  expect(c.number).toBe(LATER);
  await operator.ready(c, { host: '10.1.9.9' });
  await trunkTowards(came, { identity: { in: 'require' }, prefixes: ['+33'] });
  const other = all[1]?.value.replace(/^[^.]*\.[^.]*/, values[2]?.split('.').slice(0, 2).join('.') ?? '') ?? '';
  expect(await comes(values.slice(0, 2), LATER)).toBe(438);
  expect(await comes([values[0] ?? '', values[1] ?? '', other], LATER)).toBe(438);
  expect(await comes(values, LATER)).toBe('up');
  expect(await comes(values, LATER)).toBe(438);
});

test('where a trunk wants all in one header field, that proves the same', async () => {
  await trunkTowards(out, { identity: { out: 'sign', sentOn: 'nested' }, prefixes: ['+4420', '+155501090'] });
  const d = await operator.line('home_1', 4);
  await sends(d, b.number);
  await sends(b, LATER);
  await up(await alice.dial(d.number));
  const all = signatures();
  expect(all.map(({ ppt }) => ppt)).toEqual(['div-o']);
  const [{ value = '' } = {}] = all;
  const full = readFull(readIdentity(value)?.token ?? '');
  expect(full?.token?.passport).toMatchObject({
    attest: 'A',
    orig: digits(a.number),
    dest: { tn: [digits(d.number)] },
  });
  expect(full?.sentOn.map(({ passport }) => passport.div)).toEqual([digits(d.number), digits(b.number)]);
  const c = await operator.line('home_1', 8003);
  await operator.ready(c, { host: '10.1.9.9' });
  await trunkTowards(came, { identity: { in: 'require' }, prefixes: ['+33'] });
  const forged = value.replace(/\.(.)([^.;]*);/, (_all, first, rest) => `.${first === 'A' ? 'B' : 'A'}${rest};`);
  expect(forged).not.toBe(value);
  expect(await comes([forged], LATER)).toBe(438);
  expect(await comes([value], LATER)).toBe('up');
  expect(await comes([value], LATER)).toBe(438);
});

test('what proved the caller of a call from outside stands in it', async () => {
  await trunkTowards(out, { identity: { out: 'sign', sentOn: 'nested' }, prefixes: ['+4420'] });
  await trunkTowards(came, { identity: { in: 'verify' }, prefixes: ['+1'] });
  const caller = '+33142685300';
  const proof = await theirs.sign({ orig: digits(caller), dest: { tn: [digits(b.number)] } });
  await up(await operator.world.settle(came.phone.dial(b.number, headers([proof], caller))));
  const [one, ...more] = signatures();
  expect(more).toEqual([]);
  expect(readFull(readIdentity(one?.value ?? '')?.token ?? '')).toMatchObject({
    token: readToken(readIdentity(proof)?.token ?? ''),
    sentOn: [{ passport: { orig: digits(caller), div: digits(b.number), dest: { tn: [digits(far)] } } }],
  });
});

test('a line that sends a call on twice, for nobody took it first, signs for whom it came to in the end', async () => {
  const c = await operator.line('home_1', 5);
  await operator.ready(c, { host: '10.1.9.8', manner: 'ring' });
  const features = { hunt: [c.number, far], forward: {} };
  await operator.ask('line.features.set', { home: 'home_1', line: b.id, features });
  const call = await alice.dial(b.number);
  await operator.world.until(() => call.state === 'up', 120_000, `the answer: ${call.status}`);
  expect(headerIn(requestOf(out, 'INVITE'), 'Diversion')).toContain(b.number);
  expect(signatures()).toMatchObject([
    { ppt: 'shaken', passport: { orig: digits(a.number), dest: { tn: [digits(b.number)] } } },
    { ppt: 'div', passport: { div: digits(b.number), dest: { tn: [digits(far)] } } },
  ]);
  expect(signatures()).toHaveLength(2);
});

test('a call from outside leaves with what proved its caller', async () => {
  await trunkTowards(came, { identity: { in: 'verify' }, prefixes: ['+1'] });
  const caller = '+33142685300';
  const proof = await theirs.sign({ orig: digits(caller), dest: { tn: [digits(b.number)] } });
  await up(await operator.world.settle(came.phone.dial(b.number, headers([proof], caller))));
  expect(headerIn(requestOf(out, 'INVITE'), 'P-Asserted-Identity')).toContain(caller);
  const [first, second] = signatures();
  expect(first?.value).toBe(proof);
  expect(second).toMatchObject({ ppt: 'div', passport: { orig: digits(caller), div: digits(b.number) } });
});

test('without such proof we say ourselves that it only passes through', async () => {
  await trunkTowards(came, { prefixes: ['+1'] });
  const caller = '+33142685300';
  const proof = await theirs.sign({ orig: digits(caller), dest: { tn: [digits(b.number)] } });
  await up(await operator.world.settle(came.phone.dial(b.number, headers([proof], caller))));
  expect(signatures()).toMatchObject([
    { passport: { attest: 'C', x5u: OWN, orig: digits(caller) } },
    { passport: { div: digits(b.number) } },
  ]);
});

test('a call that nobody sent on has one signature, and where the trunk wants its own the sender signs', async () => {
  await up(await alice.dial(far));
  expect(signatures()).toMatchObject([{ ppt: 'shaken', passport: { orig: digits(a.number) } }]);
  out.requests.length = 0;
  const [trunk] = (await operator.ask('trunk.list', {})).items;
  await operator.ask('trunk.set', { ...trunkTo(out, { identity: { out: 'sign' } }), trunk: trunk?.id ?? '' });
  await up(await alice.dial(b.number));
  expect(signatures()).toMatchObject([{ ppt: 'shaken', passport: { attest: 'A', orig: digits(b.number) } }]);
});
