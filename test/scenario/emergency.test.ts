/** Calls for help reach those who help in every fault state in which a path exists, and nobody else gets through so. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { emergencyHandlers } from '#cloud/farm/oamp/emergency.ts';
import { sql } from '#cloud/store/store.ts';
import { ok } from '#shared/kernel/result.ts';
import type { Phone, PhoneCall } from '#simulator/phone.ts';
import { type Carrier, carrier, headerIn, requestOf, trunkTo } from '#test/support/carrier.ts';
import { DOMAIN, type Line, Operator } from './operator.ts';

let operator: Operator;
let a: Line;
let psap: Carrier;
let trunk: string;

beforeEach(async () => {
  operator = await Operator.start(71);
  a = await operator.line(await operator.home('home_1'), 1);
  psap = await carrier(operator.world, '10.6.0.1');
  trunk = (await operator.ask('trunk.create', trunkTo(psap))).id;
  await policy({ country: 'DE', routes: [{ trunk }] });
  await place();
});
afterEach(() => operator.stop());

const up = (call: PhoneCall) => operator.world.until(() => call.state === 'up', 8_000, 'the answer');
const ended = (call: PhoneCall) => operator.world.until(() => call.state === 'ended', 40_000, 'the end');
const calls = async () => (await operator.ask('emergency.call.list', {})).items;

/** The operator's words, by the oamp server's own handlers; that server itself is not among those of this stage. */
async function policy(wanted: object): Promise<void> {
  await operator.store.commit([
    sql(
      "INSERT INTO outside_setting (name, body, changed_at) VALUES ('policy', ?, 0) ON CONFLICT (name) DO UPDATE SET body = excluded.body",
      JSON.stringify(wanted),
    ),
  ]);
  operator.bus.publish('trunks.changed', {});
  await operator.world.run(50);
}

async function place(): Promise<void> {
  const location = {
    country: 'DE',
    city: 'Köln',
    street: 'Am <Dom> & mehr',
    houseNumber: '4',
    latitude: 50.9,
    longitude: 6.9,
  };
  await operator.store.commit([
    sql('INSERT INTO home_location (home, body, changed_at) VALUES (?, ?, ?)', 'home_1', JSON.stringify(location), 0),
  ]);
}

/** Dials, and says how long the INVITE took to the trunk. */
async function helped(phone: Phone, dialled = '112'): Promise<PhoneCall> {
  const from = operator.world.now;
  const before = psap.requests.length;
  const call = await phone.dial(dialled);
  await operator.world.until(
    () => psap.requests.slice(before).some((text) => text.startsWith('INVITE')),
    8_000,
    'INVITE',
  );
  expect(operator.world.now - from).toBeLessThanOrEqual(2_000);
  await up(call);
  return call;
}

describe('a path exists', () => {
  const faults: readonly (readonly [string, () => Promise<void>])[] = [
    ['nothing is wrong', async () => {}],
    ['the session manager is away', () => operator.stopPart('session-manager')],
    ['billing is away', () => operator.stopPart('billing')],
    ['the qos server is away', () => operator.stopPart('qos')],
    ['the media server is away', () => operator.stopPart('media')],
    [
      'everything but the softswitch is away',
      async () => {
        for (const part of ['session-manager', 'billing', 'qos', 'media', 'conference'] as const)
          await operator.stopPart(part);
      },
    ],
    [
      'the balance is used up',
      async () => {
        await operator.store.commit([sql("INSERT INTO balance (home, mode, balance) VALUES ('home_1', 'prepaid', 0)")]);
      },
    ],
    [
      'the line is barred',
      async () => {
        await operator.store.commit([sql("INSERT INTO barring (home, reason, at) VALUES ('home_1', 'spend', 0)")]);
        await operator.stopPart('softswitch');
        await operator.startPart('softswitch');
      },
    ],
    [
      'the line may call nowhere',
      async () => {
        const bar = ['local', 'national', 'mobile', 'international', 'premium'] as const;
        const features = { bar: [...bar] };
        await operator.ask('line.features.set', { home: 'home_1', line: a.id, features });
      },
    ],
    [
      'the phone’s address has guessed passwords and is shut out',
      async () => {
        const cracker = await operator.phone(
          { ...a, password: 'guess' },
          { host: '10.1.0.11', world: operator.world.host('again', ['10.1.0.11']) },
        );
        for (let i = 0; i < 12; i++) await operator.world.settle(cracker.register());
        expect(await operator.world.settle(cracker.register())).toBe(403);
      },
    ],
    [
      'the softswitch has just started again',
      async () => {
        await operator.stopPart('softswitch');
        await operator.startPart('softswitch');
      },
    ],
    [
      'the trunk counts as down',
      async () => void (await operator.ask('trunk.set', { trunk, ...trunkTo(psap, { probeEvery: 0 }) })),
    ],
  ];

  test.each(faults)('%s', async (_name, break_) => {
    const alice = await operator.ready(a);
    await break_();
    const call = await helped(alice);
    call.hangup();
    await operator.world.run(1_000);
    expect(await calls()).toMatchObject([
      { from: a.number, dialled: '112', service: 'urn:service:sos', by: 'address', trunk, home: 'home_1' },
    ]);
  });

  test.each(['commit', 'all', 'one'] as const)('the store fails: %s', async (what) => {
    const alice = await operator.ready(a);
    await operator.stopPart('session-manager');
    const works = operator.store[what];
    Object.assign(operator.store, { [what]: () => Promise.reject(new Error('the disk is gone')) });
    const call = await helped(alice);
    call.hangup();
    await operator.world.run(1_000);
    Object.assign(operator.store, { [what]: works });
    expect(psap.phone.calls.map(({ state }) => state)).toEqual(['ended']);
  });

  test.each([false, true])('the store fails for a gateway that has just come (known: %s)', async (known) => {
    const gateway = await operator.gateway('home_1', 1);
    const phone = await operator.phone(a, { ...operator.behind(gateway), host: '10.1.0.40' });
    if (known) await operator.world.settle(phone.register());
    operator.bus.publish('lines.changed', { home: 'home_1' });
    await operator.world.run(50);
    for (const what of ['all', 'one'] as const)
      Object.assign(operator.store, { [what]: () => Promise.reject(new Error('the disk is gone')) });
    await helped(phone);
  });

  test('the line has all the calls that it may have', async () => {
    const [alice, b] = [await operator.ready(a), await operator.line('home_1', 2)];
    await operator.ready(b, { manner: 'ring' });
    for (let i = 0; i < 4; i++) await alice.dial(b.number);
    await operator.world.run(500);
    const full = await alice.dial(b.number);
    await ended(full);
    expect(full.status).toBe(403);
    await helped(alice);
  });

  test('the phone is not registered any more, and shows no credential', async () => {
    const alice = await operator.ready(a);
    await operator.world.settle(alice.register(0));
    await operator.world.run(20 * 3_600_000);
    await operator.stopPart('softswitch');
    await operator.startPart('softswitch');
    const phone = await operator.phone(
      { ...a, password: 'forgotten' },
      { host: '10.1.0.11', world: operator.world.host('again', ['10.1.0.11']) },
    );
    await helped(phone);
    expect((await calls())[0]).toMatchObject({ by: 'address', line: a.id });
  });

  test('a gateway’s flow, whatever line it names', async () => {
    const gateway = await operator.gateway('home_1', 1);
    const phone = await operator.phone(
      { ...a, username: 'u99', password: '' },
      { ...operator.behind(gateway), host: '10.1.0.40' },
    );
    await helped(phone);
    expect((await calls())[0]).toMatchObject({ by: 'gateway', home: 'home_1', line: a.id });
  });

  test('the switch has more to do than it can, and turns other calls away', async () => {
    const answers: string[] = [];
    const trace = (direction: 'in' | 'out', text: string) => void (direction === 'in' && answers.push(text));
    const alice = await operator.ready(a, { trace });
    // What the switch asks itself comes back late, as it does from a long queue.
    operator.world.link({ from: 'cloud', to: 'cloud', delay: 300 });
    for (let i = 0; i < 90; i++) {
      await alice.dial('+15559999999');
      await operator.world.run(20);
    }
    const away = answers.filter((text) => text.startsWith('SIP/2.0 503'));
    expect(away.length).toBeGreaterThan(10);
    expect(away.every((text) => Number(headerIn(text, 'Retry-After')) >= 2)).toBe(true);
    for (let i = 0; i < 5; i++) (await helped(alice)).hangup();
    operator.world.link({ from: 'cloud', to: 'cloud', delay: 1 });
    await operator.world.run(20_000);
    answers.length = 0;
    await ended(await alice.dial('+15559999999'));
    expect(answers.some((text) => text.startsWith('SIP/2.0 503'))).toBe(false);
  });

  test('the first way is dead: the next one is tried', async () => {
    const other = await carrier(operator.world, '10.6.0.2', { refuses: 404 });
    const first = await operator.ask('trunk.create', trunkTo(other));
    await policy({ routes: [{ trunk: first.id }, { trunk }] });
    await helped(await operator.ready(a));
  });

  test('the first way says nothing', async () => {
    const other = await carrier(operator.world, '10.6.0.2');
    const first = await operator.ask('trunk.create', trunkTo(other, { probeEvery: 0 }));
    await operator.world.settle(other.phone.close());
    await policy({ routes: [{ trunk: first.id }, { trunk }] });
    const call = await (await operator.ready(a)).dial('112');
    await up(call);
  });

  test('the only way answers late, as from a long queue', async () => {
    operator.world.link({ from: `carrier-${psap.host}`, to: 'cloud', delay: 1_000 });
    const call = await (await operator.ready(a)).dial('112');
    await operator.world.until(() => call.state === 'up', 9_000, `the answer: ${call.status}`);
  });
});

describe('what is conveyed', () => {
  test('the service, where it is, and whom to call back', async () => {
    await helped(await operator.ready(a), '110');
    const invite = requestOf(psap, 'INVITE');
    expect(invite).toMatch(/^INVITE urn:service:sos\.police SIP/);
    expect(headerIn(invite, 'P-Asserted-Identity')).toContain(a.number);
    expect(headerIn(invite, 'Priority')).toBe('emergency');
    const id = /^<cid:(.+)>$/.exec(headerIn(invite, 'Geolocation') ?? '')?.[1];
    expect(invite).toContain(`Content-ID: <${id}>`);
    expect(invite).toContain('<ca:RD>Am &lt;Dom&gt; &amp; mehr</ca:RD>');
    expect(invite).toContain('<gml:pos>50.9 6.9</gml:pos>');
    expect(headerIn(invite, 'Content-Type')).toMatch(/^multipart\/mixed/);
    expect(psap.phone.calls[0]?.state).toBe('up');
  });

  test.each([
    ['urn:service:sos.fire', 'urn:service:sos.fire'],
    ['911', 'urn:service:sos'],
    ['*31#112', 'urn:service:sos'],
    ['sip:112@elsewhere.test;user=phone', 'urn:service:sos'],
    ['tel:112', 'urn:service:sos'],
  ])('%s', async (dialled, expected) => {
    const call = await helped(
      await operator.ready(a),
      dialled.includes(':') ? dialled : dialled.replaceAll('#', '%23').replace('%23', '%23'),
    );
    expect(requestOf(psap, 'INVITE').split(' ')[1]).toBe(expected);
    call.hangup();
  });

  test('a withheld number is not withheld from those who help', async () => {
    const call = await (await operator.ready(a)).dial('112', [['Privacy', 'id']]);
    await up(call);
    expect(headerIn(requestOf(psap, 'INVITE'), 'From')).toContain(a.number);
  });

  test('the code is dialled where the way wants digits', async () => {
    await policy({ country: 'DE', routes: [{ trunk, call: 'dialled' }] });
    await helped(await operator.ready(a), '110');
    expect(requestOf(psap, 'INVITE')).toMatch(/^INVITE sip:110@/);
  });
});

/** The causes of alarms from now on. */
function alarms(): string[] {
  const raised: string[] = [];
  const note = async ({ cause }: { cause: string }) => {
    raised.push(cause);
    return ok({});
  };
  operator.bus.serve('oamp', { 'alarm.raise': note } as never);
  return raised;
}

describe('strangers', () => {
  test('get 403, and the operator hears of it', async () => {
    const raised = alarms();
    const stranger = await carrier(operator.world, '10.9.9.9');
    const call = await operator.world.settle(stranger.phone.dial('112'));
    await ended(call);
    expect(call.status).toBe(403);
    expect(await calls()).toMatchObject([{ by: 'none', dialled: '112' }]);
    expect(psap.requests.filter((text) => text.startsWith('INVITE'))).toEqual([]);
    expect(raised.filter((cause) => cause === 'emergency-refused')).toHaveLength(1);
    // A spoofed address is not flooded with repetitions of the refusal.
    await operator.world.run(40_000);
    expect(stranger.wire.filter((text) => text.startsWith('SIP/2.0'))).toHaveLength(1);
    for (let i = 0; i < 30; i++) await operator.world.settle(stranger.phone.dial('112'));
    await operator.world.run(1_000);
    expect((await calls()).length).toBeLessThan(30);
  });

  test('an address is forgotten after a day', async () => {
    const alice = await operator.ready(a);
    await operator.world.settle(alice.register(0));
    await operator.world.run(86_500_000);
    const phone = await operator.phone(
      { ...a, password: 'forgotten' },
      { host: '10.1.0.11', world: operator.world.host('again', ['10.1.0.11']) },
    );
    const call = await phone.dial('112');
    await ended(call);
    expect(call.status).toBe(403);
    // A credential that proves nothing makes it no better.
    const made = `Digest username="${a.username}", realm="${DOMAIN}", nonce="00", uri="sip:112@${DOMAIN}", response="${'0'.repeat(32)}", cnonce="0", nc=00000001, qop=auth`;
    const signed = await phone.dial('112', [['Authorization', made]]);
    await ended(signed);
    expect(signed.status).toBe(403);
  });

  test('a code of another country is an ordinary number', async () => {
    const call = await (await operator.ready(a)).dial('999');
    await ended(call);
    expect(call.status).toBe(404);
    expect(await calls()).toEqual([]);
  });
});

test('without a way the phone hears so at once, and the operator too; who hangs up meanwhile alarms nobody', async () => {
  const phone = await operator.ready(a);
  const raised = alarms();
  psap.phone.manner = 'ring';
  const given = await phone.dial('112');
  await operator.world.run(3_000);
  given.hangup();
  await operator.world.run(3_000);
  expect(raised).toEqual([]);
  await policy({ routes: [] });
  const call = await phone.dial('112');
  await ended(call);
  expect(call.status).toBe(503);
  await operator.world.run(100);
  expect(raised).toEqual(['emergency-unserved']);
});

test('a record is made afterwards, and costs nothing', async () => {
  const call = await helped(await operator.ready(a));
  call.hangup();
  await operator.world.run(10_000);
  const cdrs = (await operator.ask('cdr.list', {})).items;
  expect(cdrs.filter(({ to }) => to === '112').map(({ price, reason }) => `${price} ${reason}`)).toContain('0 hangup');
});

describe('those who help call back', () => {
  const back = async () => operator.world.settle(psap.phone.dial(a.number));

  test('past do not disturb, call waiting and forwarding, for half an hour', async () => {
    const alice = await operator.ready(a);
    const call = await helped(alice);
    call.hangup();
    const features = { doNotDisturb: true, noWaiting: true };
    await operator.ask('line.features.set', { home: 'home_1', line: a.id, features });
    const again = await back();
    await up(again);
    again.hangup();
    await operator.world.run(1_900_000);
    const late = await back();
    await ended(late);
    expect(late.status).toBe(486);
  });

  test('nobody else gets past them', async () => {
    await operator.ready(a);
    await operator.ask('line.features.set', { home: 'home_1', line: a.id, features: { doNotDisturb: true } });
    const call = await back();
    await ended(call);
    expect(call.status).toBe(486);
  });
});

test('the oamp server’s handlers are the ones that write the policy', () => {
  expect(Object.keys(emergencyHandlers({} as never)).sort()).toEqual([
    'emergency.policy.get',
    'emergency.policy.set',
    'home.location.get',
    'home.location.set',
  ]);
});
