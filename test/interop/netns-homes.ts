/** A cloud and two homes in network namespaces, each gateway and phone on a host of its own; the phones are baresip. */
import { join } from 'node:path';
import { expect } from 'vitest';
import { levelOf } from '#shared/rtp/measure.ts';
import { Baresip, type BaresipOptions } from './baresip.ts';
import { type CloudReady, type DeviceReady, eventually, type Namespaces } from './netns.ts';

/** Hertz of the tone that the phone of each home says. */
export const TONES = [443, 617] as const;

interface Line {
  readonly id: string;
  readonly number: string;
  readonly sip: { readonly username: string; readonly password: string; readonly domain: string };
}

/** A cloud and two homes with a baresip phone each, every one on a host of its own. */
export async function homesOf(ns: Namespaces, later?: BaresipOptions['later']) {
  ns.add('net');
  ns.within('net', 'ip', 'link', 'add', 'br0', 'type', 'bridge');
  ns.within('net', 'ip', 'link', 'set', 'br0', 'up');
  const plug = (host: string, as: string, address: string, port: string) => {
    ns.cable({ host, as, address }, { host: 'net', as: port });
    ns.within('net', 'ip', 'link', 'set', port, 'master', 'br0');
  };
  ns.add('cloud');
  plug('cloud', 'wan', '10.77.0.1/24', 'p0');
  const data = join(ns.folder, 'cloud');
  const cloud = await ns.hearthline<CloudReady>('cloud', 'cloud.json', [
    'cloud',
    '--data',
    data,
    '--http',
    '10.77.0.1:8080',
    '--https',
    '10.77.0.1:8443',
    '--mqtt',
    '10.77.0.1:8883',
    '--sip',
    '10.77.0.1:5060',
    '--sips',
    '10.77.0.1:5061',
    '--media',
    '10.77.0.1:20000-20999',
  ]);
  const cli = (...words: string[]) =>
    JSON.parse(
      ns.within(
        'cloud',
        'bin/hearthline',
        ...words,
        '--json',
        '--cloud',
        'http://10.77.0.1:8080',
        '--token',
        cloud.ready.operatorToken,
      ),
    ) as never;
  const pin = (cloud.ready as CloudReady & { https: string }).https.split('#')[1];
  const homes = [];
  for (const [i, tone] of TONES.entries()) {
    const [gateway, phone] = [`gw${i}`, `ph${i}`];
    ns.add(gateway);
    ns.add(phone);
    plug(gateway, 'wan', `10.77.0.${i + 2}/24`, `p${i + 1}`);
    // The LAN is a bridge inside the gateway, as in a router.
    ns.within(gateway, 'ip', 'link', 'add', 'lan', 'type', 'bridge');
    ns.within(gateway, 'ip', 'address', 'add', `192.168.${i + 1}.1/24`, 'dev', 'lan');
    ns.within(gateway, 'ip', 'link', 'set', 'lan', 'up');
    plugPhone(ns, gateway, phone, `192.168.${i + 1}.2/24`, 'port1');
    const device = await ns.hearthline<DeviceReady>(gateway, `${gateway}.json`, [
      'device',
      '--state',
      join(ns.folder, gateway),
      '--cloud',
      `https://10.77.0.1:8443#${pin}`,
      '--sip',
      `192.168.${i + 1}.1:5060`,
      '--media',
      '0.0.0.0:20000-20999',
      '--page',
      '127.0.0.1:0',
    ]);
    await eventually(() => ns.read<DeviceReady>(`${gateway}.json`).pairing !== undefined, 10_000, 'a code');
    const home = cli('home', 'create', '--name', `home ${i}`) as { id: string };
    const { pairing } = ns.read<DeviceReady>(`${gateway}.json`);
    cli('pair', pairing?.code ?? '', '--home', home.id);
    const line = cli('line', 'create', '--home', home.id, '--name', `phone ${i}`) as Line;
    await new Promise((resume) => setTimeout(resume, 500));
    const baresip = new Baresip(ns, {
      host: phone,
      server: `192.168.${i + 1}.1:5060`,
      ...line.sip,
      tone,
      ...(later && { later }),
    });
    await baresip.registered();
    homes.push({ home: home.id, gateway, phone, line, baresip, device });
  }
  ns.add('ph0b');
  plugPhone(ns, 'gw0', 'ph0b', '192.168.1.3/24', 'port2');
  const line = cli('line', 'create', '--home', homes[0]?.home ?? '', '--name', 'second') as Line;
  await pause(500);
  const second = new Baresip(ns, { host: 'ph0b', server: '192.168.1.1:5060', ...line.sip, tone: 853 });
  await second.registered();
  return { cloud, cli, homes, second: Object.assign(second, { number: line.number }) };
}

export const pause = (ms: number) => new Promise((resume) => setTimeout(resume, ms));

/** Plugs a phone's host into a gateway's LAN. */
function plugPhone(ns: Namespaces, gateway: string, phone: string, address: string, port: string): void {
  ns.cable({ host: phone, as: 'eth0', address }, { host: gateway, as: port });
  ns.within(gateway, 'ip', 'link', 'set', port, 'master', 'lan');
}

/** What a phone heard, in its second second and the one after: the other's tone, and hardly its own. */
export function expectTones(heard: Int16Array | undefined, other: number, own: number): void {
  const middle = (heard ?? new Int16Array()).subarray(8000, 24_000);
  expect(middle.length).toBe(16_000);
  const [theirs, ours] = [levelOf(middle, other), levelOf(middle, own)];
  expect(theirs).toBeGreaterThan(-25);
  expect(ours).toBeLessThan(theirs - 25);
}
