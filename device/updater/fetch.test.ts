/** Fetching a bundle: from servers that do as they like, and from sticks. */
import { describe, expect, it } from 'vitest';
import { type HttpReply, NetError } from '#shared/kernel/world.ts';
import { BUNDLE_LIMIT } from '#shared/protocol/verbs/rollout.ts';
import { VirtualWorld } from '#simulator/world.ts';
import { copy, download, type FetchOptions, PART, sizeOf } from './fetch.ts';
import { sticks } from './sticks.ts';

const AT = '10.0.0.1:80';
const url = `http://${AT}/x.raucb`;
const bundle = new Uint8Array(2 * PART + 77).map((_one, i) => i % 253);

/** A virtual host, and a server that answers what `reply` makes of the range's first octet. */
function rig(reply: (from: number, n: number) => Partial<HttpReply>) {
  const virtual = new VirtualWorld({ seed: 3 });
  const world = virtual.host('gateway', ['10.1.0.1']);
  virtual.host('server', ['10.0.0.1']);
  let n = 0;
  virtual.serveHttp('server', AT, async ({ headers = {} }) => {
    const from = Number(/bytes=(\d+)-/.exec(headers.range ?? '')?.[1] ?? 0);
    return { status: 206, headers: {}, body: '', ...reply(from, n++) };
  });
  const options: FetchOptions = {
    world,
    path: '/data/x.raucb',
    size: bundle.length,
    wanted: () => true,
    progress: () => {},
  };
  return { virtual, world, options, asked: () => n };
}

function part(from: number, total = bundle.length, octets = bundle.slice(from, from + PART)): Partial<HttpReply> {
  return { status: 206, headers: { 'content-range': `bytes ${from}-${from + octets.length - 1}/${total}` }, octets };
}

describe('a download', () => {
  it('comes in parts, goes on where it was, and asks for nothing that is here', async () => {
    const { virtual, world, options, asked } = rig((from, n) => {
      if (n === 1) throw new NetError('ECONNRESET', 'cut');
      return part(from);
    });
    expect(await virtual.settle(download(options, { url }))).toMatchObject({
      ok: false,
      fault: { why: 'ECONNRESET: cut' },
    });
    expect(await sizeOf(world, options.path)).toBe(PART);
    expect(await virtual.settle(download(options, { url }))).toEqual({ ok: true, value: undefined });
    expect((await world.disk.read(options.path))?.join()).toBe(bundle.join());
    expect(await virtual.settle(download(options, { url }))).toMatchObject({ ok: true });
    expect(asked()).toBe(4);
    const { size: _, ...unknown } = options;
    await world.disk.remove(options.path);
    expect(await virtual.settle(download(unknown, { url }))).toMatchObject({ ok: true });
    expect(await sizeOf(world, options.path)).toBe(bundle.length);
  });

  const bad: readonly (readonly [string, Partial<HttpReply>, object])[] = [
    ['another size than was released', part(0, bundle.length + 1), { code: 'update_damaged' }],
    ['larger than any bundle', part(0, BUNDLE_LIMIT + 1), { code: 'update_damaged' }],
    ['another range', part(5), { why: 'the server sent another range than was asked for' }],
    [
      'a range that only ends where it should',
      { ...part(0), headers: { 'content-range': `bytes 5-${PART - 1}/${bundle.length}` } },
      { why: 'the server sent another range than was asked for' },
    ],
    ['no range at all', { status: 206 }, { why: 'the server sent another range than was asked for' }],
    ['the whole at once, too short', { status: 200, octets: bundle.slice(0, 10) }, { code: 'update_damaged' }],
    ['nothing there', { status: 404 }, { code: 'update_not_found' }],
    ['a ticket that is over', { status: 403 }, { expired: true }],
    ['trouble of the server', { status: 500 }, { why: 'the server answered 500' }],
  ];
  it.each(bad)('writes nothing of %s', async (_name, reply, fault) => {
    const { virtual, world, options } = rig(() => reply);
    // A server without a size to hold it against may be believed up to the limit of all bundles.
    const asked =
      reply.headers?.['content-range']?.endsWith(`/${BUNDLE_LIMIT + 1}`) === true
        ? { ...options, size: BUNDLE_LIMIT + 1 }
        : options;
    expect(await virtual.settle(download(asked, { url }))).toMatchObject({ ok: false, fault });
    expect(await sizeOf(world, options.path)).toBe(0);
  });

  it('ends when nobody wants it, and when the disk takes no more', async () => {
    const { virtual, world, options } = rig((from) => part(from));
    expect(await virtual.settle(download({ ...options, wanted: () => false }, { url }))).toMatchObject({
      fault: { code: 'update_stopped' },
    });
    virtual.disk('gateway').faults.capacity = PART + 5;
    expect(await virtual.settle(download(options, { url }))).toMatchObject({ fault: { code: 'update_no_room' } });
    // What is half there would keep even the outcome from being written down.
    expect(await world.disk.part(options.path, 0, 1)).toBeUndefined();
  });
});

describe('a stick', () => {
  it('shows its bundles, and gives one to be copied', async () => {
    const { virtual, world, options } = rig(() => ({}));
    virtual.disk('gateway').files.set('/media/stick/a.raucb', bundle.slice());
    virtual.disk('gateway').files.set('/run/media/ada/STICK/b.raucb', bundle.slice());
    virtual.disk('gateway').files.set('/media/stick/photo.jpg', bundle.slice());
    expect(await sticks(world.disk)).toEqual(['/media/stick/a.raucb', '/run/media/ada/STICK/b.raucb']);
    expect(await copy(options, '/media/stick/a.raucb')).toMatchObject({ ok: true });
    expect((await world.disk.read(options.path))?.length).toBe(bundle.length);
    expect(await copy(options, '/media/stick/none.raucb')).toMatchObject({ fault: { code: 'update_not_found' } });
    expect(await copy({ ...options, wanted: () => false }, '/media/stick/a.raucb')).toMatchObject({
      fault: { code: 'update_stopped' },
    });
  });
});
