/** Callers' numbers signed towards carriers and checked from them (RFC 8224), and what homes, records and the operator see of it. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { sql } from '#cloud/store/store.ts';
import { ok } from '#shared/kernel/result.ts';
import type { VerbRequest } from '#shared/protocol/verbs/index.ts';
import { readIdentity } from '#shared/sip/identity.ts';
import { readToken } from '#shared/sip/passport.ts';
import type { Phone, PhoneCall } from '#simulator/phone.ts';
import { type Carrier, carrier, headerIn, requestOf, trunkTo } from '#test/support/carrier.ts';
import { type Authority, authority, certified, type Signer, signer } from '#test/support/signer.ts';
import { type Line, Operator } from './operator.ts';

const far = '+442071838750';
const OWN = 'https://operator.test/sti/chain.pem';
const THEIRS = 'https://c.example/chain.pem';

let operator: Operator;
let a: Line;
let alice: Phone;
let one: Carrier;
let root: Authority;
/** Certificates on the web, by path. */
let web: Map<string, string>;

beforeEach(async () => {
  operator = await Operator.start(62);
  a = await operator.line(await operator.home('home_1'), 1);
  alice = await operator.ready(a);
  one = await carrier(operator.world, '10.5.0.1');
  root = await authority(operator.cloud);
  web = new Map();
  operator.world.host('repository', ['10.6.0.1']);
  operator.world.serveHttp('repository', 'c.example:443', async ({ path }) => {
    const body = web.get(path);
    return { status: body === undefined ? 404 : 200, body: body ?? '', headers: {} };
  });
});
afterEach(() => operator.stop());

const ended = (call: PhoneCall) => operator.world.until(() => call.state === 'ended', 40_000, 'the end');
const up = (call: PhoneCall) => operator.world.until(() => call.state === 'up', 20_000, 'the answer');

describe('out', () => {
  /** The operator signs with a key that was made here, for the number of its line. */
  async function signs(lastsFor = 86_400_000): Promise<void> {
    const { request } = await operator.ask('identity.key.create', { subject: 'SHAKEN 1', numbers: ['spc:1'] });
    const wanted = await operator.cloud.crypto.readRequest(request);
    const notAfter = operator.cloud.clock.wall() + lastsFor;
    const publicKey = wanted?.publicKey ?? new Uint8Array();
    const chain = await certified(operator.cloud, root, publicKey, [{ spc: '1' }], { notAfter });
    const set = await operator.ask('identity.set', { x5u: OWN, chain });
    expect(set).toMatchObject({ signs: true, x5u: OWN, subject: 'SHAKEN 1234', numbers: ['spc:1'] });
  }

  const trunk = (more: Partial<VerbRequest<'trunk.create'>> = {}) =>
    operator.ask('trunk.create', trunkTo(one, { identity: { out: 'sign' }, ...more }));

  async function passportOf(call: PhoneCall) {
    await up(call);
    const value = headerIn(requestOf(one, 'INVITE'), 'Identity');
    const identity = value === undefined ? undefined : readIdentity(value);
    const token = readToken(identity?.token ?? '');
    return { identity, passport: token?.passport, token };
  }
  const chainNow = async () => {
    const row = await operator.store.one<{ body: string }>("SELECT body FROM outside_setting WHERE name = 'identity'");
    return (JSON.parse(row?.body ?? '{}') as { chain?: string }).chain;
  };

  test('a key that is made while settings are written is not lost', async () => {
    await signs();
    const chain = (await chainNow()) ?? '';
    const [, { request }] = await Promise.all([
      operator.ask('identity.set', { x5u: OWN, chain, hosts: ['c.example'] }),
      operator.ask('identity.key.create', { subject: 'SHAKEN 2', numbers: ['spc:1'] }),
    ]);
    const { publicKey = new Uint8Array() } = (await operator.cloud.crypto.readRequest(request)) ?? {};
    const notAfter = operator.cloud.clock.wall() + 86_400_000;
    const next = await certified(operator.cloud, root, publicKey, [{ spc: '1' }], { notAfter });
    expect(await operator.ask('identity.set', { x5u: OWN, chain: next })).toMatchObject({ signs: true });
  });

  test('a line’s own number is attested in full, and the signature holds', async () => {
    await signs();
    await trunk({ outRules: [{ prefix: '+44', replace: '0044' }] });
    const { identity, passport, token } = await passportOf(await alice.dial(far));
    expect(identity).toMatchObject({ info: OWN, alg: 'ES256', ppt: 'shaken' });
    expect(passport).toMatchObject({
      ...{ attest: 'A', x5u: OWN, orig: a.number.slice(1), dest: { tn: [far.slice(1)] } },
      iat: Math.floor(operator.cloud.clock.wall() / 1000),
      origid: expect.stringMatching(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/),
    });
    const facts = await operator.cloud.crypto.readChain(
      (await chainNow()) ?? '',
      root.certificate,
      operator.cloud.clock.wall(),
    );
    const input = new TextEncoder().encode(token?.input);
    expect(await operator.cloud.crypto.verify(facts?.publicKey ?? input, input, token?.signature ?? input)).toBe(true);
  });

  test('calls of one home have one origin, those of another have another', async () => {
    await signs();
    await trunk();
    const b = await operator.line('home_1', 2);
    const c = await operator.line(await operator.home('home_2'), 3);
    const origins: string[] = [];
    for (const phone of [alice, await operator.ready(b), await operator.ready(c)]) {
      one.requests.length = 0;
      const { passport } = await passportOf(await phone.dial(far));
      origins.push(passport?.origid ?? '');
    }
    expect([origins[0] === origins[1], origins[0] === origins[2]]).toEqual([true, false]);
  });

  test('one number for all callers is attested in part, a call that only passes through as from outside', async () => {
    await signs();
    await trunk({ identity: { out: 'sign', number: '+15550199999' } });
    const { passport } = await passportOf(await alice.dial(far));
    expect(passport).toMatchObject({ attest: 'B', orig: '15550199999' });
  });

  test('who forwards a call signs for it', async () => {
    await signs();
    await trunk();
    const b = await operator.line('home_1', 2);
    await operator.ask('line.features.set', { home: 'home_1', line: b.id, features: { forward: { always: far } } });
    const { passport } = await passportOf(await alice.dial(b.number));
    expect(passport).toMatchObject({ attest: 'A', orig: b.number.slice(1), dest: { tn: [far.slice(1)] } });
  });

  test('a withheld number is signed for those who may know it, and for nobody else', async () => {
    await signs();
    const { id } = await trunk();
    const { passport } = await passportOf(await alice.dial(far, [['Privacy', 'id']]));
    expect(passport?.orig).toBe(a.number.slice(1));
    one.requests.length = 0;
    await operator.ask('trunk.set', { ...trunkTo(one, { identity: { out: 'sign', header: 'from' } }), trunk: id });
    await up(await alice.dial(far, [['Privacy', 'id']]));
    const invite = requestOf(one, 'INVITE');
    expect([headerIn(invite, 'Identity'), headerIn(invite, 'P-Asserted-Identity')]).toEqual([undefined, undefined]);
  });

  test('a call for help is signed for the service that it asks for', async () => {
    await signs();
    const { id } = await trunk();
    const policy = { country: 'DE', routes: [{ trunk: id }] };
    const put = "INSERT INTO outside_setting (name, body, changed_at) VALUES ('policy', ?, 0)";
    await operator.store.commit([sql(put, JSON.stringify(policy))]);
    operator.bus.publish('trunks.changed', {});
    await operator.world.run(50);
    const { passport } = await passportOf(await alice.dial('112'));
    expect(passport).toMatchObject({ attest: 'A', orig: a.number.slice(1), dest: { uri: ['urn:service:sos'] } });
  });

  test('an unsigned trunk, and one without a certificate, gets no signature', async () => {
    await trunk();
    await up(await alice.dial(far));
    expect(headerIn(requestOf(one, 'INVITE'), 'Identity')).toBeUndefined();
    await signs();
    one.requests.length = 0;
    const [item] = (await operator.ask('trunk.list', {})).items;
    await operator.ask('trunk.set', { ...trunkTo(one), trunk: item?.id ?? '' });
    await up(await alice.dial(far));
    expect(headerIn(requestOf(one, 'INVITE'), 'Identity')).toBeUndefined();
  });

  test('the key outlives a restart, and the certificate ends on its day: calls go on, with an alarm', async () => {
    const alarms: string[] = [];
    operator.bus.serve('oamp', {
      'alarm.raise': async ({ cause, text }: { cause: string; text: string }) => {
        alarms.push(`${cause}: ${text}`);
        return ok({});
      },
    } as never);
    await signs(60_000);
    await trunk();
    await operator.stopPart('softswitch');
    await operator.startPart('softswitch');
    alice = await operator.ready(a, { host: '10.1.0.99' });
    const first = await alice.dial(far);
    expect((await passportOf(first)).passport?.attest).toBe('A');
    first.hangup();
    await operator.world.run(61_000);
    one.requests.length = 0;
    await up(await alice.dial(far));
    expect(headerIn(requestOf(one, 'INVITE'), 'Identity')).toBeUndefined();
    expect(await operator.ask('identity.get', {})).toMatchObject({ signs: false, why: 'The certificate is over.' });
    expect(alarms.filter((text) => text.startsWith('callers-unsigned'))).toHaveLength(1);
  });
});

describe('in', () => {
  let carrierSigner: Signer;
  const said = () => ({ orig: far.slice(1), dest: { tn: [a.number.slice(1)] } });

  async function checks(manner: 'verify' | 'require'): Promise<void> {
    carrierSigner = await signer(operator.cloud, root, THEIRS);
    web.set('/chain.pem', carrierSigner.chain);
    await operator.ask('identity.set', { authorities: root.certificate, hosts: ['c.example'] });
    await operator.ask('trunk.create', trunkTo(one, { identity: { in: manner } }));
  }

  async function call(identity: string[], caller = far): Promise<PhoneCall> {
    const headers = identity.map((value): [string, string] => ['Identity', value]);
    const dialled = one.phone.dial(a.number.slice(1), [['P-Asserted-Identity', `<sip:${caller}@x>`], ...headers]);
    return operator.world.settle(dialled);
  }

  test('a good signature is told to the phone, and stands in session and record', async () => {
    await checks('verify');
    const wire: string[] = [];
    await operator.ready(a, { host: '10.1.9.9', trace: (_direction, text) => wire.push(text) });
    const made = await call([await carrierSigner.sign(said())]);
    await up(made);
    const invite = wire.find((text) => text.startsWith('INVITE')) ?? '';
    expect(headerIn(invite, 'P-Asserted-Identity')).toMatch(
      /^<sip:\+442071838750;verstat=TN-Validation-Passed@[^;>]+;user=phone>$/,
    );
    expect(headerIn(invite, 'From')).toContain(`<sip:${far}@`);
    made.hangup();
    await operator.world.run(2_000);
    const [session] = (await operator.ask('session.list', {})).items;
    expect(session?.request).toMatchObject({ verstat: 'TN-Validation-Passed' });
    const cdrs = (await operator.ask('cdr.list', {})).items;
    expect(cdrs.map(({ verstat }) => verstat)).toEqual(['TN-Validation-Passed', 'TN-Validation-Passed']);
  });

  test.each<[string, () => Promise<string[]>, string]>([
    ['none', async () => [], 'No-TN-Validation'],
    [
      'one for another caller',
      async () => [await carrierSigner.sign({ ...said(), orig: '1' })],
      'TN-Validation-Failed',
    ],
  ])('a call with %s rings all the same where signatures are not required', async (_name, identity, verstat) => {
    await checks('verify');
    const made = await call(await identity());
    await up(made);
    made.hangup();
    await operator.world.run(2_000);
    const cdrs = (await operator.ask('cdr.list', {})).items;
    expect(new Set(cdrs.map((cdr) => cdr.verstat))).toEqual(new Set([verstat]));
  });

  test('what a carrier says of the check itself is nobody’s word', async () => {
    await operator.ask('trunk.create', trunkTo(one));
    const wire: string[] = [];
    await operator.ready(a, { host: '10.1.9.9', trace: (_direction, text) => wire.push(text) });
    const dialled = one.phone.dial(a.number.slice(1), [
      ['P-Asserted-Identity', `<sip:${far};verstat=TN-Validation-Passed@x;user=phone>`],
    ]);
    await up(await operator.world.settle(dialled));
    expect(wire.filter((text) => text.includes('verstat'))).toEqual([]);
    expect(alice.calls[0]?.from ?? '').toContain(`<sip:${far}@`);
  });

  test.each<[string, number, () => Promise<string[]>]>([
    ['without a signature', 428, async () => []],
    [
      'with one that is older than a minute',
      403,
      async () => [await carrierSigner.sign({ ...said(), iat: seconds() - 61 })],
    ],
    ['with one from the future', 403, async () => [await carrierSigner.sign({ ...said(), iat: seconds() + 61 })]],
    [
      'whose certificate is at a host that nobody listed',
      436,
      async () => [await carrierSigner.sign({ ...said(), x5u: 'https://evil.example/chain.pem' })],
    ],
    [
      'whose certificate is not where it says',
      436,
      async () => [await carrierSigner.sign({ ...said(), x5u: 'https://c.example/other.pem' })],
    ],
    [
      'of somebody whom nobody believes',
      437,
      async () => {
        const stranger = await signer(
          operator.cloud,
          await authority(operator.cloud),
          'https://c.example/stranger.pem',
        );
        web.set('/stranger.pem', stranger.chain);
        return [await stranger.sign(said())];
      },
    ],
    ['for another callee', 438, async () => [await carrierSigner.sign({ ...said(), dest: { tn: ['15550109999'] } })]],
    ['that is malformed', 438, async () => ['x;info=<https://c.example/chain.pem>;ppt=shaken']],
  ])('a call %s is refused where signatures are required', async (_name, status, identity) => {
    await checks('require');
    const made = await call(await identity());
    await ended(made);
    expect(made.status).toBe(status);
    const refused = one.wire.find((text) => text.startsWith(`SIP/2.0 ${status} `)) ?? '';
    expect(headerIn(refused, 'Reason')).toMatch(new RegExp(`^STIR;cause=${status};text="`));
    expect(alice.calls).toEqual([]);
  });
  const seconds = () => Math.floor(operator.cloud.clock.wall() / 1000);

  test('a call signed by several rings where one of them holds (RFC 8224 section 6.2.1)', async () => {
    await checks('require');
    const values = [await carrierSigner.sign({ ...said(), orig: '1' }), 'x', await carrierSigner.sign(said())];
    await up(await call(values));
  });

  test('what was not to be had is asked for anew once the operator says again whom to believe', async () => {
    await checks('require');
    web.delete('/chain.pem');
    const before = await call([await carrierSigner.sign(said())]);
    await ended(before);
    expect(before.status).toBe(436);
    web.set('/chain.pem', carrierSigner.chain);
    await operator.ask('identity.set', { authorities: root.certificate, hosts: ['c.example'] });
    await up(await call([await carrierSigner.sign(said())]));
  });

  test('a signature that came once is refused for another call', async () => {
    await checks('require');
    const value = await carrierSigner.sign(said());
    const made = await call([value]);
    await up(made);
    const again = await call([value]);
    await ended(again);
    expect([made.state, again.status]).toEqual(['up', 438]);
  });

  test('who hangs up while the certificate is fetched leaves nothing behind', async () => {
    await checks('require');
    operator.world.serveHttp('repository', 'c.example:443', () => new Promise(() => {}));
    const made = await call([await carrierSigner.sign(said())]);
    await operator.world.run(500);
    made.hangup();
    await ended(made);
    expect((await operator.ask('session.list', { live: true })).items).toEqual([]);
  });
});

describe('what the operator may say', () => {
  test.each<[string, () => Promise<VerbRequest<'identity.set'>>]>([
    ['a chain without its key', async () => ({ x5u: OWN, chain: (await signer(operator.cloud, root, OWN)).chain })],
    [
      'another key than the chain’s',
      async () => {
        const [mine, other] = [await signer(operator.cloud, root, OWN), await signer(operator.cloud, root, OWN)];
        return { x5u: OWN, chain: mine.chain, key: other.key.privateKey };
      },
    ],
    ['no certificate', async () => ({ chain: 'x' })],
    ['a key without a certificate', async () => ({ key: 'x' })],
    ['authorities that are none', async () => ({ authorities: 'x' })],
  ])('%s is refused', async (_name, request) => {
    await expect(operator.ask('identity.set', await request())).rejects.toThrow('bad_request');
  });

  test('a key of its own is taken, never shown, and stands sealed in the store', async () => {
    const mine = await signer(operator.cloud, root, OWN);
    const set = await operator.ask('identity.set', { x5u: OWN, chain: mine.chain, key: mine.key.privateKey });
    expect(set.signs).toBe(true);
    const secret = mine.key.privateKey.split('\n')[1] ?? '';
    expect(secret.length).toBeGreaterThan(20);
    expect(JSON.stringify(set)).not.toContain(secret);
    expect(JSON.stringify(await operator.store.all('SELECT * FROM outside_setting'))).not.toContain(secret);
    const again = await operator.ask('identity.set', { x5u: OWN, chain: mine.chain, hosts: ['c.example'] });
    expect(again).toMatchObject({ signs: true, hosts: ['c.example'] });
    expect(await operator.ask('identity.set', {})).toMatchObject({ signs: false, authorities: 0, hosts: [] });
  });
});
