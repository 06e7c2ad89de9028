import { describe, expect, it } from 'vitest';
import { fromLatin1, latin1 } from '#shared/kernel/bytes.ts';
import { sleep } from '#shared/kernel/time.ts';
import type { Stream, World } from '#shared/kernel/world.ts';
import { VirtualWorld } from './world.ts';

async function authority(world: World) {
  const ca = await world.crypto.createKey();
  const server = await world.crypto.createKey();
  const times = { notBefore: 0, notAfter: 9e12 };
  const certificate = await world.crypto.issue({
    subject: 'CA',
    publicKey: ca.publicKey,
    signer: ca.privateKey,
    use: 'authority',
    ...times,
  });
  const issue = (subject: string, publicKey: Uint8Array, use: 'server' | 'client', names: string[] = []) =>
    world.crypto.issue({ subject, publicKey, issuer: certificate, signer: ca.privateKey, use, names, ...times });
  return {
    certificate,
    server: { key: server.privateKey, certificate: await issue('server', server.publicKey, 'server', ['10.0.0.1']) },
    issue,
  };
}

function collect(stream: Stream) {
  const got = { text: '', closed: undefined as string | undefined };
  stream.handle({
    data: (data) => {
      got.text += latin1(data);
    },
    close: (error) => {
      got.closed = error ?? 'end';
    },
  });
  return got;
}

describe('VirtualWorld', () => {
  it('moves time from deadline to deadline', async () => {
    using world = new VirtualWorld({ seed: 1 });
    const a = world.host('a', ['10.0.0.1']);
    const seen: number[] = [];
    for (const ms of [30, 10, 20]) a.clock.at(ms, () => seen.push(a.clock.mono()));
    await world.run(25);
    expect(seen).toEqual([10, 20]);
    expect(world.now).toBe(25);
    const start = a.clock.wall();
    await world.settle(sleep(a.clock, 3_600_000), 3_700_000);
    expect(a.clock.wall() - start).toBe(3_600_000);
  });

  it('puts timers and dates of libraries under its clock and gives them back', async () => {
    const real = globalThis.setTimeout;
    {
      using world = new VirtualWorld({ seed: 1 });
      let fired = 0;
      const interval = setInterval(() => fired++, 1000);
      setTimeout(() => clearInterval(interval), 4500);
      await world.run(60_000);
      expect(fired).toBe(4);
    }
    expect(globalThis.setTimeout).toBe(real);
  });

  it('loses, doubles, delays and parts datagrams by the seed alone', async () => {
    const count = async (seed: number) => {
      using world = new VirtualWorld({ seed });
      world.link({ loss: 0.2, duplicate: 0.1, delay: 5, jitter: 10 });
      const a = world.host('a', ['10.0.0.1']);
      const b = world.host('b', ['10.0.0.2']);
      let got = 0;
      const sink = await b.net.udp({ host: '10.0.0.2', port: 5000 }, () => got++);
      const source = await a.net.udp({ host: '10.0.0.1', port: 0 }, () => {});
      for (let i = 0; i < 1000; i++) source.send(fromLatin1(`n${i}`), sink.local);
      await world.run(100);
      const first = got;
      world.partition(['a']);
      for (let i = 0; i < 100; i++) source.send(fromLatin1('cut'), sink.local);
      await world.run(100);
      expect(got).toBe(first);
      return { got, hash: world.hash() };
    };
    const [one, again, other] = [await count(7), await count(7), await count(8)];
    expect(one.got).toBeGreaterThan(800);
    expect(one.got).toBeLessThan(960);
    expect(again).toEqual(one);
    expect(other.hash).not.toBe(one.hash);
  });

  it('carries streams in order, tells each end what TLS proved, and refuses strangers', async () => {
    using world = new VirtualWorld({ seed: 3 });
    world.link({ loss: 0.3, jitter: 20 });
    const server = world.host('server', ['10.0.0.1']);
    const client = world.host('client', ['10.0.0.2']);
    const pki = await authority(server);
    const key = await client.crypto.createKey();
    const certificate = await pki.issue('gw_1', key.publicKey, 'client');
    let far: Stream | undefined;
    await server.net.listen(
      { host: '10.0.0.1', port: 8883, tls: { ...pki.server, clientCa: pki.certificate } },
      (stream) => {
        far = stream;
      },
    );
    const tls = { ca: pki.certificate, certificate, key: key.privateKey };
    const near = await world.settle(client.net.connect({ host: '10.0.0.1', port: 8883, tls }));
    expect(far?.peer).toMatchObject({
      kind: 'certificate',
      subject: 'gw_1',
      trusted: true,
      selfSigned: false,
      keyHash: key.keyHash,
    });
    const got = collect(far!);
    for (let i = 0; i < 50; i++) near.write(fromLatin1(`${i},`));
    near.end();
    await world.run(20_000);
    expect(got).toEqual({ text: Array.from({ length: 50 }, (_, i) => `${i},`).join(''), closed: 'end' });
    const other = await authority(client);
    await expect(
      world.settle(client.net.connect({ host: '10.0.0.1', port: 8883, tls: { ca: other.certificate } })),
    ).rejects.toMatchObject({ code: 'ECERT' });
    await expect(world.settle(client.net.connect({ host: '10.0.0.1', port: 1 }))).rejects.toMatchObject({
      code: 'ECONNREFUSED',
    });
  });

  it('holds a stream through a short partition and breaks it in a long one; a dropped host resets its peers', async () => {
    using world = new VirtualWorld({ seed: 4 });
    const server = world.host('server', ['10.0.0.1']);
    const client = world.host('client', ['10.0.0.2']);
    const streams: Stream[] = [];
    await server.net.listen({ host: '10.0.0.1', port: 80 }, (stream) => streams.push(stream));
    const near = await world.settle(client.net.connect({ host: '10.0.0.1', port: 80 }));
    const sent = collect(near);
    const got = collect(streams[0]!);
    world.partition(['client']);
    near.write(fromLatin1('late'));
    await world.run(10_000);
    expect(got.text).toBe('');
    world.heal();
    await world.run(1000);
    expect(got.text).toBe('late');
    world.partition(['client']);
    near.write(fromLatin1('never'));
    await world.run(31_000);
    expect(sent.closed).toBe('ETIMEDOUT');
    world.heal();
    const second = await world.settle(client.net.connect({ host: '10.0.0.1', port: 80 }));
    const seen = collect(second);
    world.network.drop('server', false);
    await world.run(1000);
    expect(seen.closed).toBe('ECONNRESET');
  });

  it('holds back a writer whose reader is frozen', async () => {
    using world = new VirtualWorld({ seed: 5 });
    const server = world.host('server', ['10.0.0.1']);
    const client = world.host('client', ['10.0.0.2']);
    let far: Stream | undefined;
    await server.net.listen({ host: '10.0.0.1', port: 80 }, (stream) => {
      far = stream;
    });
    const near = await world.settle(client.net.connect({ host: '10.0.0.1', port: 80 }));
    let drained = 0;
    near.handle({ data() {}, drain: () => drained++, close() {} });
    far?.handle({ data() {}, close() {} });
    far?.pause();
    expect(near.write(new Uint8Array(65_536))).toBe(true);
    expect(near.write(new Uint8Array(1))).toBe(false);
    await world.run(1000);
    expect(near.buffered).toBe(65_537);
    far?.resume();
    await world.run(1000);
    expect([near.buffered, drained]).toEqual([0, 1]);
  });

  it('keeps a disk across restarts and tears it where it is told to', async () => {
    using world = new VirtualWorld({ seed: 6 });
    const disk = world.disk('gw');
    const log = await world.host('gw', ['10.0.0.9']).disk.append('/state/outbox');
    await log.append(fromLatin1('one.'));
    disk.faults.cutAt = { write: 2, keep: 2 };
    await expect(log.append(fromLatin1('two.'))).rejects.toThrow('ECUT');
    const after = world.host('gw', ['10.0.0.9']).disk;
    expect(latin1((await after.read('/state/outbox'))!)).toBe('one.tw');
    delete disk.faults.cutAt;
    disk.faults.capacity = 8;
    await expect(after.write('/state/x', new Uint8Array(20))).rejects.toMatchObject({ code: 'ENOSPC' });
    expect(await after.list('/state')).toEqual(['outbox']);
  });

  it('is betrayed by code that asks the platform for the time', async () => {
    const run = async (planted: boolean) => {
      using world = new VirtualWorld({ seed: 9 });
      const a = world.host('a', ['10.0.0.1']);
      const b = world.host('b', ['10.0.0.2']);
      const sink = await b.net.udp({ host: '10.0.0.2', port: 5000 }, () => {});
      const source = await a.net.udp({ host: '10.0.0.1', port: 0 }, () => {});
      source.send(fromLatin1(String(planted ? Date.now() : a.clock.wall())), sink.local);
      await world.run(100);
      return world.hash();
    };
    expect(await run(false)).toBe(await run(false));
    const first = await run(true);
    await new Promise((resolve) => setTimeout(resolve, 5));
    expect(await run(true)).not.toBe(first);
  });
});
