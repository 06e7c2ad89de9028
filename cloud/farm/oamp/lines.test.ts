import { createHash } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Handlers } from '#cloud/bus/bus.ts';
import { lineById, lineByNumber, lineByUser, lineByUsername, linesOfHome } from '#cloud/store/directory.ts';
import { sql } from '#cloud/store/store.ts';
import { ok } from '#shared/kernel/result.ts';
import { misfit } from '#shared/protocol/check.ts';
import { VoiceDocument } from '#shared/protocol/documents.ts';
import { account, makeOamp, type OampRig, OPERATOR } from '#test/support/oamp.ts';
import { DOCUMENT_LINES, sipsAddress, voiceDocument } from './desired.ts';
import { LINES_PER_HOME } from './lines.ts';

let rig: OampRig;
let home: string;
beforeEach(async () => {
  rig = await makeOamp();
  home = (await rig.must('home.create', { name: 'Elm Street 1' })).id;
});
afterEach(() => rig.end());

async function voice(of = home): Promise<{ version: number; body: VoiceDocument }> {
  const row = await rig.store.one<{ version: number; body: string }>(
    "SELECT version, body FROM desired WHERE home = ? AND doc = 'voice'",
    [of],
  );
  if (row === undefined) throw new Error('no voice document');
  return { version: row.version, body: JSON.parse(row.body) as VoiceDocument };
}

test('gateways give music on hold, unless the operator wants none anywhere', () => {
  const said = (holdMusic?: string) =>
    voiceDocument({ ...rig.config, ...(holdMusic === undefined ? {} : { holdMusic }) }, []).noHoldMusic;
  expect([said(), said('/own.wav'), said('none')]).toEqual([undefined, undefined, true]);
});

describe('a new line', () => {
  test('has a number, a name to sign on with and a password that is shown once', async () => {
    const line = await rig.must('line.create', { home, name: 'Kitchen' });
    expect(line).toMatchObject({
      home,
      number: '+15550100001',
      name: 'Kitchen',
      class: 'standard',
      kind: 'phone',
      registered: false,
    });
    const { username, password = '', domain } = line.sip;
    expect(password).toMatch(/^p[0-9a-z]{24}$/);
    expect(password).not.toContain(line.number.slice(-4));
    expect(username).not.toBe(line.number);
    const [listed] = (await rig.must('line.list', { home })).items;
    expect(listed?.sip).toEqual({ username, domain });
    const a1 = `${username}:${domain}:${password}`;
    expect(await lineById(rig.store, line.id)).toMatchObject({
      ha1_md5: createHash('md5').update(a1).digest('hex'),
      ha1_sha256: createHash('sha256').update(a1).digest('hex'),
    });
  });

  test('is found by number, name and either', async () => {
    const { id, number, sip } = await rig.must('line.create', { home });
    expect((await lineByNumber(rig.store, number))?.id).toBe(id);
    expect((await lineByUsername(rig.store, sip.username))?.id).toBe(id);
    expect((await lineByUser(rig.store, number))?.id).toBe(id);
    expect((await lineByUser(rig.store, sip.username))?.id).toBe(id);
    expect(await lineByUser(rig.store, '+1')).toBeUndefined();
  });

  test('takes the number asked for, once', async () => {
    await rig.must('line.create', { home, number: '+4930123456' });
    expect(await rig.ask('line.create', { home, number: '+4930123456' })).toMatchObject({
      fault: { code: 'number_taken' },
    });
    expect((await linesOfHome(rig.store, home)).length).toBe(1);
  });

  test('gets the lowest free number once the range has been used to its end', async () => {
    await rig.must('line.create', { home, number: '+15550109999' });
    await rig.must('line.create', { home, number: '+15550100001' });
    expect((await rig.must('line.create', { home })).number).toBe('+15550100002');
  });

  test('comes into the voice document in the same commit; its removal, too', async () => {
    expect((await voice()).version).toBe(1);
    const line = await rig.must('line.create', { home, kind: 'appliance' });
    const after = await voice();
    expect(after.version).toBe(2);
    expect(after.body.lines).toMatchObject([{ id: line.id, number: line.number, kind: 'appliance' }]);
    expect(misfit(VoiceDocument, after.body)).toBeUndefined();
    await rig.must('line.remove', { home, line: line.id });
    expect(await voice()).toMatchObject({ version: 3, body: { lines: [] } });
    expect(await rig.ask('line.remove', { home, line: line.id })).toMatchObject({ fault: { code: 'not_found' } });
  });

  test('repeated under its key is the same line with the same password', async () => {
    const idempotency = { scope: 'http x', key: 'k1', bodyHash: 'h' };
    const first = await rig.ask('line.create', { home }, OPERATOR, { idempotency });
    expect(await rig.ask('line.create', { home }, OPERATOR, { idempotency })).toEqual(first);
    expect(
      await rig.ask('line.create', { home }, OPERATOR, { idempotency: { ...idempotency, bodyHash: 'other' } }),
    ).toMatchObject({
      fault: { code: 'idempotency_mismatch' },
    });
    expect((await linesOfHome(rig.store, home)).length).toBe(1);
    expect((await voice()).version).toBe(2);
  });

  test('tells whether a phone is registered, and "no" while the softswitch is stopped', async () => {
    const line = await rig.must('line.create', { home });
    const other = await rig.must('line.create', { home });
    const registered = async () =>
      (await rig.must('line.list', { home })).items.filter((item) => item.registered).map(({ id }) => id);
    expect(await registered()).toEqual([]);
    const handlers = {
      'registration.list': async () =>
        ok({
          items: [
            { line: line.id, contacts: 1, direct: true },
            { line: other.id, contacts: 0, direct: true },
          ],
        }),
    };
    const stop = rig.bus.serve('softswitch', handlers as unknown as Handlers<'softswitch'>);
    expect(await registered()).toEqual([line.id]);
    stop();
    expect(await registered()).toEqual([]);
  });
});

describe('connected gateways', () => {
  type Desire = { gateway: string; doc: string; version: number };
  let desires: Desire[];
  let stop: () => void;
  const edge = { kind: 'part', part: 'gateway-edge' } as const;
  beforeEach(async () => {
    desires = [];
    const handlers = {
      'gateway.desire': async ({ gateway, doc, version }: Desire) => {
        desires.push({ gateway, doc, version });
        return ok({ sent: true });
      },
    };
    stop = rig.bus.serve('gateway-edge', handlers as unknown as Handlers<'gateway-edge'>);
    const insert = "INSERT INTO gateway (id, home, key_hash, state, claimed_at) VALUES (?, ?, ?, 'paired', 0)";
    await rig.store.commit(['gw_1', 'gw_2'].map((id) => sql(insert, id, home, `key-${id}`)));
  });
  afterEach(() => stop());
  const seen = (epoch: number) => rig.must('gateway.seen', { gateway: 'gw_1', online: true, epoch }, edge);

  test('get a change at once, the others at their hello', async () => {
    await seen(1);
    await rig.must('line.create', { home });
    await rig.virtual.run(1);
    expect(desires).toEqual([{ gateway: 'gw_1', doc: 'voice', version: 2 }]);
  });

  test('get what changed between the answer to hello and the beginning of their lease', async () => {
    const principal = { kind: 'gateway', gateway: 'gw_1', home } as const;
    const outbox = { first: 0, last: 0, lost: 0 };
    const greeted = await rig.must(
      'gateway.hello',
      { version: '1', profile: 'personal-computer', applied: {}, outbox },
      principal,
    );
    await rig.must('line.create', { home });
    await rig.virtual.run(1);
    expect(desires).toEqual([]);
    await seen(greeted.epoch);
    await rig.virtual.run(1);
    expect(desires).toEqual([{ gateway: 'gw_1', doc: 'voice', version: 2 }]);
  });

  test('are told when the softswitch listens elsewhere, and not when it has not moved', async () => {
    await seen(1);
    rig.config.bound.sips = { host: '10.0.0.1', port: 5061 };
    rig.bus.publish('farm.changed', { server: 'softswitch', state: 'running' });
    await rig.virtual.run(1);
    expect(desires).toEqual([{ gateway: 'gw_1', doc: 'voice', version: 2 }]);
    expect((await voice()).body.sips).toBe('10.0.0.1:5061');
    rig.bus.publish('farm.changed', { server: 'softswitch', state: 'running' });
    await rig.virtual.run(1);
    expect(desires.length).toBe(1);
  });

  test('are told of one of several softswitch processes, and of another once that is gone', () => {
    const { config } = rig;
    const processes = [5061, 5071, 5081].map((port) => ({ pid: port, sips: { host: '10.0.0.1', port } }));
    config.bound.softswitches = processes;
    const homes = Array.from({ length: 30 }, (_none, i) => `home_${i}`);
    const first = homes.map((one) => sipsAddress(config, one));
    expect(new Set(first).size).toBe(3);
    config.bound.softswitches = processes.map((one) => (one.pid === 5071 ? { ...one, gone: true } : one));
    const then = homes.map((one) => sipsAddress(config, one));
    expect(then).toEqual(first.map((at) => at.replace('5071', '5081')));
  });
});

describe('limits', () => {
  test('64 standard lines, also when they are made at once; unmetered ones beside, by the operator alone', async () => {
    const made = await rig.virtual.settle(
      Promise.all(
        Array.from({ length: LINES_PER_HOME + 6 }, () =>
          rig.bus.request('line.create', { home }, { principal: OPERATOR }),
        ),
      ),
    );
    const refused = made.filter((outcome) => !outcome.ok);
    expect(refused.map((outcome) => (outcome.ok ? '' : outcome.fault.code))).toEqual(Array(6).fill('limit_reached'));
    expect(await rig.ask('line.create', { home })).toMatchObject({ fault: { code: 'limit_reached' } });
    expect((await voice()).body.lines.length).toBe(LINES_PER_HOME);
    expect((await rig.must('line.create', { home, class: 'unmetered' })).class).toBe('unmetered');
    const forbidden = await rig.ask('line.create', { home, class: 'unmetered' }, account('subscriber', [home]));
    expect(forbidden).toMatchObject({ fault: { code: 'forbidden' } });
    expect((await linesOfHome(rig.store, home)).length).toBe(LINES_PER_HOME + 1);
    const document = await voice();
    expect(document.body.lines.length).toBe(DOCUMENT_LINES);
    expect(misfit(VoiceDocument, document.body)).toBeUndefined();
  });
});

describe('who may', () => {
  test('subscribers see and change their homes only; others get the answer for what does not exist', async () => {
    const other = (await rig.must('home.create', { name: 'Oak Street 2' })).id;
    const { id } = await rig.must('line.create', { home: other });
    const mine = account('subscriber', [home]);
    const strangers = [
      mine,
      account('technician', []),
      account('developer', []),
      { kind: 'applicant', keyHash: 'x' } as const,
    ];
    for (const principal of strangers) {
      for (const target of [other, 'home_none']) {
        for (const outcome of [
          await rig.ask('line.create', { home: target }, principal),
          await rig.ask('line.list', { home: target }, principal),
          await rig.ask('line.remove', { home: target, line: id }, principal),
          await rig.ask('home.get', { home: target }, principal),
          await rig.ask('gateway.list', { home: target }, principal),
          await rig.ask('gateway.claim', { home: target, code: 'BCDFGHJK' }, principal),
        ]) {
          expect(outcome).toEqual({ ok: false, fault: { code: 'not_found' } });
        }
      }
    }
    // A line of another home is not reached through one's own.
    expect(await rig.ask('line.remove', { home, line: id }, mine)).toMatchObject({ fault: { code: 'not_found' } });
    expect((await rig.must('home.list', {}, mine)).items.map((item) => item.id)).toEqual([home]);
    expect((await rig.must('home.list', {}, account('subscriber', []))).items).toEqual([]);
    expect((await rig.must('home.list', {})).items.length).toBe(2);
  });
});
