/** What a gateway's own test says of the way to the cloud: who answers, and who only takes the connection. */
import { describe, expect, test } from 'vitest';
import { type HttpReply, NetError } from '#shared/kernel/world.ts';
import { localEngine } from '#shared/media-engine/local.ts';
import { VirtualWorld } from '#simulator/world.ts';
import { testGateway } from './proof.ts';

const SERVER = '10.0.0.1';
const here = JSON.stringify({ mqtt: `${SERVER}:8883`, sips: `${SERVER}:5061`, ca: 'PEM' });

/** A gateway, and a cloud at `port` that answers HTTP by `reply`, takes connections, or is not there. */
async function wan(port: number, cloud: { readonly takes?: boolean; readonly reply?: () => Partial<HttpReply> }) {
  const virtual = new VirtualWorld({ seed: 5 });
  const world = virtual.host('gateway', ['10.1.0.1']);
  const server = virtual.host('server', [SERVER]);
  if (cloud.takes === true) await virtual.settle(server.net.listen({ host: SERVER, port }, () => {}));
  const { reply } = cloud;
  if (reply !== undefined)
    virtual.serveHttp('server', `${SERVER}:${port}`, async () => ({
      status: 200,
      headers: {},
      body: here,
      ...reply(),
    }));
  const health = await virtual.settle(
    testGateway({
      ...{ world, engine: localEngine(world, { low: 20_000, high: 20_099 }), sip: undefined, state: '/state' },
      cloud: { trust: 'loopback', origin: `http://${SERVER}${port === 80 ? '' : `:${port}`}` },
      paired: () => true,
    }),
  );
  expect(health).toMatchObject({ paired: true });
  return health.wan;
}
const breaks = (code: string) => () => {
  throw new NetError(code, 'broken');
};

describe('the way to the cloud', () => {
  test('is there where the cloud answers', async () => {
    expect(await wan(80, { reply: () => ({}) })).toBe(true);
  });

  test('is not there where nobody answers', async () => {
    expect(await wan(80, {})).toBe(false);
  });

  test.each(['EPROTO', 'ECONNRESET', 'ETIMEDOUT'])(
    'is there where a connection is taken and this system’s HTTP fails (%s)',
    async (code) => {
      expect(await wan(80, { takes: true, reply: breaks(code) })).toBe(true);
      expect(await wan(8443, { takes: true, reply: breaks(code) })).toBe(true);
      expect(await wan(80, { takes: false, reply: breaks(code) })).toBe(false);
    },
  );

  test('does not count where the cloud itself answers amiss, or its certificate is not believed', async () => {
    expect(await wan(80, { takes: true, reply: () => ({ status: 503 }) })).toBe(false);
    expect(await wan(80, { takes: true, reply: () => ({ body: 'welcome' }) })).toBe(false);
    expect(await wan(80, { takes: true, reply: breaks('ECERT') })).toBe(false);
  });
});
