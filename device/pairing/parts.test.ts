/** The parts round the machine: permanent key, kept state, finding the cloud, the time to renew. */
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { utf8 } from '#shared/kernel/bytes.ts';
import type { HttpReply, HttpRequest, World } from '#shared/kernel/world.ts';
import { readCloudUrl } from '#shared/protocol/pairing.ts';
import { VirtualWorld } from '#simulator/world.ts';
import { CloudFinder, LAST_WAIT } from './cloud-finder.ts';
import { deviceKey } from './device-key.ts';
import { type Cloud, discover } from './discovery.ts';
import { createPairing } from './pairing.ts';
import { renewFrom } from './renewal.ts';
import { readSaved } from './saved.ts';

let virtual: VirtualWorld;
let world: World;
let authority: { certificate: string; keyHash: string };
beforeEach(async () => {
  virtual = new VirtualWorld({ seed: 1 });
  world = virtual.host('gw', ['10.0.1.1']);
  virtual.host('cloud', ['10.0.0.1']);
  const key = await world.crypto.createKey();
  const options = {
    subject: 'CA',
    publicKey: key.publicKey,
    signer: key.privateKey,
    notBefore: 0,
    notAfter: 4e12,
    use: 'authority',
  } as const;
  authority = { certificate: await world.crypto.issue(options), keyHash: key.keyHash };
});
afterEach(() => virtual[Symbol.dispose]());

describe('the permanent key', () => {
  test('is made once and then read; everything else follows from it', async () => {
    const first = await deviceKey(world, '/state/device-key.json');
    const again = await deviceKey(world, '/state/device-key.json');
    expect(again).toEqual(first);
    expect(first.gateway).toMatch(/^gw_[0-9a-z]{32}$/);
    expect(first.words.split(' ').length).toBe(4);
    expect(await world.crypto.readCertificate(first.certificate)).toMatchObject({
      subject: first.gateway,
      keyHash: first.keyHash,
    });
    const other = await deviceKey(virtual.host('gw2', ['10.0.1.2']), '/state/device-key.json');
    expect(other.gateway).not.toBe(first.gateway);
  });

  test.each([
    '',
    '{',
    '{}',
    'null',
    '{"privateKey":1,"publicKey":"","certificate":""}',
    '{"privateKey":"a","publicKey":"zz","certificate":"c"}',
  ])('is not replaced where its file is damaged: %j', async (text) => {
    await world.disk.write('/k', utf8(text));
    await expect(deviceKey(world, '/k')).rejects.toThrow('damaged');
    expect(await world.disk.read('/k')).toEqual(utf8(text));
  });
});

describe('the kept state', () => {
  const identity = { gateway: 'g', home: 'h', certificate: 'c', key: 'k', authority: 'a' };
  test.each([
    [{ at: 'unpaired' }],
    [{ at: 'unpaired', cause: 'removed' }],
    [{ at: 'claimed', since: 5 }],
    [{ at: 'reconnecting', since: 5, identity }],
    [{ at: 'configuring', since: 5, identity }],
    [{ at: 'paired', identity }],
  ])('%j is read back', (saved) => {
    expect(readSaved(utf8(JSON.stringify(saved)))).toEqual(saved);
  });

  test('that is damaged is "unpaired" and says so; none at all is a first boot', () => {
    expect(readSaved(undefined)).toEqual({ at: 'unpaired' });
    const damaged = { at: 'unpaired', cause: 'state_damaged' };
    for (const text of [
      '',
      '{',
      'null',
      '[]',
      '{"at":"paired"}',
      '{"at":"claimed"}',
      '{"at":"reconnecting","since":1}',
    ]) {
      expect(readSaved(utf8(text))).toEqual(damaged);
    }
    expect(readSaved(utf8(JSON.stringify({ at: 'paired', identity: { ...identity, key: 7 } })))).toEqual(damaged);
    fc.assert(fc.property(fc.uint8Array(), (octets) => readSaved(octets).at === 'unpaired'));
  });
});

describe('finding the cloud', () => {
  const reply = (body: unknown, status = 200): HttpReply => ({
    status,
    headers: {},
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });
  const document = () => ({ mqtt: '10.0.0.1:8883', sips: '10.0.0.1:5061', ca: authority.certificate });
  const serve = (answer: () => HttpReply, seen: HttpRequest[] = []) =>
    virtual.serveHttp('cloud', 'cloud.example:443', async (request) => {
      seen.push(request);
      return answer();
    });
  const find = (url: string) => {
    const cloud = readCloudUrl(url);
    if ('refused' in cloud) throw new Error(cloud.refused);
    return virtual.settle(discover(world, cloud));
  };

  test('the pin goes along, and the authority named has to be the one pinned', async () => {
    const seen: HttpRequest[] = [];
    serve(() => reply(document()), seen);
    const good = await find(`https://cloud.example#sha256-${authority.keyHash}`);
    expect(good).toEqual({
      ok: true,
      value: {
        mqtt: { host: '10.0.0.1', port: 8883 },
        authority: authority.certificate,
        portal: 'https://cloud.example',
      },
    });
    expect(seen[0]).toMatchObject({ pin: authority.keyHash, url: 'https://cloud.example/.well-known/hearthline' });
    const bad = await find(`https://cloud.example#sha256-${'0'.repeat(64)}`);
    expect(bad).toMatchObject({ ok: false, fault: expect.stringContaining('not the one behind #') });
    expect(await find('https://cloud.example')).toMatchObject({ ok: true });
  });

  test('a bracketed address and another portal are taken', async () => {
    serve(() => reply({ ...document(), mqtt: '[2001:db8::1]:8883', http: 'https://portal.example' }));
    expect(await find('https://cloud.example')).toMatchObject({
      value: { mqtt: { host: '2001:db8::1', port: 8883 }, portal: 'https://portal.example' },
    });
  });

  test.each<[string, () => HttpReply]>([
    ['404', () => reply('', 404)],
    ['no JSON', () => reply('<html>')],
    ['no document', () => reply({})],
    ['no port', () => reply({ ...document(), mqtt: '10.0.0.1' })],
    ['no certificate', () => reply({ ...document(), ca: 'no certificate' })],
    ['a portal that is a script', () => reply({ ...document(), http: 'javascript:alert(1)' })],
  ])('%s is refused with words', async (_, answer) => {
    serve(answer);
    const outcome = await find('https://cloud.example');
    expect(outcome.ok ? '' : outcome.fault).toContain('https://cloud.example');
  });

  test('goes on until it succeeds, with waits that stay bounded; what was found is found at once after a restart', async () => {
    const found: Cloud[] = [];
    const tries: number[] = [];
    const finder = new CloudFinder(world, 'https://cloud.example', '/cloud.json', () => tries.push(virtual.now));
    await virtual.settle(finder.find((cloud) => found.push(cloud)));
    await virtual.run(10 * 60_000);
    expect(finder.problem).toContain('cannot be reached');
    expect(found).toEqual([]);
    const gaps = tries.slice(1).map((time, i) => time - (tries[i] ?? 0));
    expect(Math.max(...gaps)).toBeLessThanOrEqual(LAST_WAIT + 10);
    expect(gaps.length).toBeLessThan(60);
    serve(() => reply(document()));
    await virtual.run(LAST_WAIT + 100);
    expect(found.length).toBe(1);
    expect(finder.problem).toBeUndefined();
    finder.stop();
    const after = new CloudFinder(world, 'https://cloud.example', '/cloud.json', () => {});
    virtual.partition(['gw']);
    void after.find((cloud) => found.push(cloud));
    await virtual.run(1);
    expect(found[1]).toEqual(found[0]);
    after.stop();
    const elsewhere = new CloudFinder(world, 'https://other.example', '/cloud.json', () => {});
    void elsewhere.find((cloud) => found.push(cloud));
    await virtual.run(1);
    expect(found.length).toBe(2);
    elsewhere.stop();
  });

  test('an address that cannot be taken is refused at once, with words', () => {
    const make = () =>
      createPairing({
        world,
        cloudUrl: 'http://cloud.example',
        state: '/state',
        profile: 'residential-gateway',
        version: '1',
        agent: () => {
          throw new Error('never');
        },
      });
    expect(make).toThrow('loopback only');
  });
});

test('a certificate is renewed between two thirds and 77 % of its life', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 1e12 }),
      fc.nat(1e12),
      fc.double({ min: 0, max: 0.999_999, noNaN: true }),
      (life, start, fraction) => {
        const moment = (renewFrom({ notBefore: start, notAfter: start + life }, fraction) - start) / life;
        expect(moment).toBeGreaterThanOrEqual(0.666);
        expect(moment).toBeLessThan(0.767);
      },
    ),
  );
});
