/** What a technician is told where the way between gateway, cloud and phone is cut, with real firewalls in network namespaces. */
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { hasNamespaces, hasProgram } from '../peers.ts';
import { Baresip } from './baresip.ts';
import { type CloudReady, type DeviceReady, eventually, Namespaces } from './netns.ts';

const CLOUD = '10.77.0.1';
const GATEWAY = '192.168.1.1';

interface Report {
  readonly root?: string;
  readonly items: readonly { readonly id: string; readonly result: string; readonly evidence: string }[];
}

/** A cloud, a gateway and a phone, each on a host of its own. */
async function stage(ns: Namespaces) {
  for (const host of ['cloud', 'gw', 'phone']) ns.add(host);
  ns.cable({ host: 'cloud', as: 'wan', address: `${CLOUD}/24` }, { host: 'gw', as: 'wan', address: '10.77.0.2/24' });
  ns.cable(
    { host: 'gw', as: 'lan', address: `${GATEWAY}/24` },
    { host: 'phone', as: 'eth0', address: '192.168.1.2/24' },
  );
  ns.within('gw', 'ip', 'route', 'add', 'default', 'via', CLOUD);
  const at = (...ports: [string, string | number][]) => ports.flatMap(([flag, port]) => [flag, `${CLOUD}:${port}`]);
  const { ready } = await ns.hearthline<CloudReady & { readonly https: string }>('cloud', 'cloud.json', [
    ...['cloud', '--data', join(ns.folder, 'cloud'), ...at(['--http', 8080], ['--https', 8443], ['--mqtt', 8883])],
    ...at(['--sip', 5060], ['--sips', 5061], ['--media', '20000-20999']),
  ]);
  const state = join(ns.folder, 'gw');
  await ns.hearthline<DeviceReady>('gw', 'gw.json', [
    ...['device', '--state', state, '--cloud', ready.https, '--sip', `${GATEWAY}:5060`],
    ...['--media', '0.0.0.0:20000-20999', '--page', '127.0.0.1:0'],
  ]);
  const code = () => ns.read<DeviceReady>('gw.json').pairing?.code ?? '';
  await eventually(() => code() !== '', 15_000, 'a code');
  const way = ['--json', '--cloud', `http://${CLOUD}:8080`, '--token', ready.operatorToken];
  const cli = (...words: string[]) => JSON.parse(ns.within('cloud', 'bin/hearthline', ...words, ...way)) as never;
  const home = cli('home', 'create', '--name', 'Elm') as { id: string };
  cli('pair', code(), '--home', home.id);
  const line = cli('line', 'create', '--home', home.id) as { sip: Record<'username' | 'password' | 'domain', string> };
  const phone = new Baresip(ns, { host: 'phone', server: `${GATEWAY}:5060`, tone: 443, ...line.sip });
  await phone.registered();
  /** The root and what is seen of it; the exit code is that of a fault. */
  const check = async () => {
    const asked = ns.meanwhile('gw', 'bin/hearthline', 'check', '--json', '--state', state);
    const said = await asked.catch((error: { stdout: string }) => error.stdout);
    const { root, items } = JSON.parse(said) as Report;
    return `${root}: ${items.find(({ id }) => id === root)?.evidence}`;
  };
  /** What comes of a packet filter's rule on a host, for so long as it stands. */
  const filtered = async (host: string, rule: string, run: () => Promise<void>) => {
    ns.within(host, 'nft', 'add table inet t; add chain inet t i { type filter hook input priority 0; }');
    ns.within(host, 'nft', `add rule inet t i ${rule} drop`);
    await run();
    ns.within(host, 'nft', 'flush ruleset');
  };
  return { check, filtered, phone, state };
}

describe.skipIf(!hasNamespaces() || !hasProgram('nft') || !hasProgram('baresip'))('a way that is cut', () => {
  let ns: Namespaces;
  let rig: Awaited<ReturnType<typeof stage>>;
  beforeAll(async () => {
    ns = new Namespaces();
    rig = await stage(ns);
  }, 90_000);
  afterAll(() => ns[Symbol.asyncDispose](), 60_000);

  it.each([
    [8883, /^cloud\.tcp: ETIMEDOUT/],
    [5061, /^voice\.softswitch: ETIMEDOUT/],
  ])('port %i of the cloud is named as blocked, and well again afterwards', async (port, words) => {
    await rig.filtered('cloud', `tcp dport ${port}`, async () => expect(await rig.check()).toMatch(words));
    await eventually(async () => (await rig.check()).startsWith('undefined'), 20_000, 'nothing to be wrong');
  });

  it('sound that does not come is told with its side', async () => {
    rig.phone.dial('700');
    await rig.phone.says(/Call established/, 15_000, 'the library to answer');
    const silent = async () => (await rig.check()).includes(`nothing from ${CLOUD} for`);
    const udp = `ip saddr ${CLOUD} udp dport 20000-20999`;
    await rig.filtered('gw', udp, () => eventually(silent, 20_000, 'silence to be seen'));
    rig.phone.hangup();
  });
});
