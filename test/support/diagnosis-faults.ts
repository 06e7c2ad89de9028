/** For every check the fault that must trip it. Each is done to the world around a healthy gateway, never to the gateway's own code. */
import { type Statement, sql } from '#cloud/store/store.ts';
import { utf8 } from '#shared/kernel/bytes.ts';
import { type CertificateFacts, NetError, type World } from '#shared/kernel/world.ts';
import { Phone } from '#simulator/phone.ts';
import { lan, type Rig } from './diagnosis-rig.ts';

type Inject = (rig: Rig) => Promise<void>;
const DAY = 86_400_000;
const AS_PART = { principal: { kind: 'part', part: 'oamp' } } as const;

/** Puts another method into a part of the gateway's world; the rest stays. */
function replace<K extends keyof World>(rig: Rig, part: K, change: Partial<World[K]>): void {
  Object.assign(rig.home.world[part], change);
}

const gatewayId = (rig: Rig): string => rig.gateway.status().pairing.gateway;

/** The gateway's connection is cut; it comes back by itself. */
async function disconnect(rig: Rig, pause = 10_000): Promise<void> {
  await rig.world.settle(
    rig.stage.cloud.bus.request('gateway.disconnect', { gateway: gatewayId(rig), reason: 'test' }, AS_PART),
  );
  await rig.run(pause);
}

/** Changes the cloud's database behind its back. */
async function commit(rig: Rig, ...statements: Statement[]): Promise<void> {
  const done = await rig.world.settle(rig.store.commit(statements));
  if (!done.ok) throw new Error(JSON.stringify(done));
}

/** Reports without waiting for more than the outbox. */
async function tell(rig: Rig, verb: 'device.report' | 'voice.report', body: unknown): Promise<void> {
  const agent = rig.gateway.agent();
  if (agent === undefined) throw new Error('no agent');
  await rig.world.settle(agent.report(verb, body as never));
}

/** Certificates for which `which` says so are read as ending in three days. */
function expiring(rig: Rig, which: (facts: CertificateFacts) => boolean): void {
  const { crypto, clock } = rig.home.world;
  const read = crypto.readCertificate.bind(crypto);
  replace(rig, 'crypto', {
    readCertificate: async (text) => {
      const facts = await read(text);
      return facts !== undefined && which(facts) ? { ...facts, notAfter: clock.wall() + 3 * DAY } : facts;
    },
  });
}

/** Somebody else listens on a port of the cloud, with a certificate of nobody's authority. */
async function impostor(rig: Rig, port: number): Promise<void> {
  const world = rig.world.host('impostor', ['10.0.0.1']);
  const key = await world.crypto.createKey();
  const facts = { publicKey: key.publicKey, signer: key.privateKey, notBefore: 0, notAfter: 4e12 };
  const certificate = await world.crypto.issue({ ...facts, subject: 'impostor', use: 'server', names: ['10.0.0.1'] });
  await world.net.listen({ host: '10.0.0.1', port, tls: { certificate, key: key.privateKey } }, (stream) =>
    stream.destroy(),
  );
}

const stop = (rig: Rig, server: 'softswitch' | 'oamp' | 'home-networking') => rig.stage.api('farm.stop', { server });

const file =
  (path: string, text: string): Inject =>
  async (rig) =>
    rig.file(path, text);
const state = '/state/elm';

const power: Record<string, Inject> = {
  'power.clock': async (rig) => rig.world.skew('elm', -50 * 365 * DAY),
  'power.clock-jump': async (rig) => rig.world.skew('elm', 10_000),
  async 'power.clock-offset'(rig) {
    rig.world.skew('elm', 60_000);
    await rig.restart();
  },
  async 'power.restarts'(rig) {
    const wall = rig.home.world.clock.wall();
    rig.file(`${state}/diagnostics/starts.json`, JSON.stringify([1, 2, 3, 4].map((i) => wall - i * 30_000)));
    await rig.restart();
  },
  'power.supply': file('/sys/devices/platform/soc/soc:firmware/get_throttled', '50005\n'),
  'power.temperature': file('/sys/class/thermal/thermal_zone0/temp', '86200\n'),
  'power.memory': file('/proc/meminfo', 'MemTotal: 1000000 kB\nMemAvailable: 9000 kB\n'),
};

const used = (rig: Rig): number => [...rig.world.disk('elm').files.values()].reduce((sum, one) => sum + one.length, 0);

const storage: Record<string, Inject> = {
  async 'storage.write'(rig) {
    rig.world.disk('elm').faults.capacity = used(rig);
  },
  async 'storage.room'(rig) {
    rig.world.disk('elm').faults.capacity = used(rig) + 10 * 1024 * 1024;
  },
  'storage.files': file(`${state}/agent/desired-voice.json`, '{"version":3,"bo'),
  async 'storage.outbox'(rig) {
    await stop(rig, 'home-networking');
    const device = {
      id: 'dev_1',
      name: 'x'.repeat(60),
      kind: 'k',
      address: '10.1.0.9',
      found: 'arp',
      wakes: false,
      seenAt: 0,
    } as const;
    const devices = Array.from({ length: 256 }, () => device);
    for (let i = 0; i < 120; i++) await tell(rig, 'device.report', { devices });
  },
  async 'storage.outbox-lost'(rig) {
    await tell(rig, 'voice.report', { nonsense: true });
    await rig.run(1_000);
  },
};

const address = { name: 'eth0', family: 4, loopback: false, mac: '02:00:00:00:00:10', prefix: 16 } as const;

/** The gateway is started with a cloud that it finds by name. */
const byName = async (rig: Rig, change: () => void) => {
  await rig.restart(true);
  change();
};

const network: Record<string, Inject> = {
  'network.interface': async (rig) => replace(rig, 'net', { addresses: () => [] }),
  'network.dhcp': async (rig) => replace(rig, 'net', { addresses: () => [{ ...address, host: '169.254.7.9' }] }),
  'network.link': file('/sys/class/net/eth0/operstate', 'down\n'),
  'network.mtu': file('/sys/class/net/eth0/mtu', '576\n'),
  'network.errors': file('/sys/class/net/eth0/statistics/rx_errors', '90000\n'),
  'network.route': file('/proc/net/route', 'Iface\tDestination\tGateway\n'),
  async 'network.router'(rig) {
    rig.file(
      '/proc/net/arp',
      `IP address HW type Flags HW address Mask Device\n${rig.router} 0x1 0x0 00:00:00:00:00:00 * eth0\n`,
    );
    rig.world.partition(['cloud']);
    await rig.run(60_000);
  },
  'network.name-server': (rig) => byName(rig, () => rig.file('/etc/resolv.conf', '# nothing\n')),
  'network.names': (rig) => byName(rig, () => rig.names(3)),
};

const cloud: Record<string, Inject> = {
  async 'cloud.reach'(rig) {
    rig.world.partition(['cloud']);
    await rig.run(60_000);
  },
  async 'cloud.discovery'(rig) {
    for (const host of ['10.0.0.1', 'cloud.example'])
      rig.world.serveHttp('cloud', `${host}:8443`, async () => ({ status: 502, headers: {}, body: '' }));
  },
  'cloud.latency': async (rig) => rig.world.link({ from: 'elm', to: 'cloud', delay: 900 }),
  async 'cloud.tcp'(rig) {
    rig.world.network.drop('cloud', false);
    await rig.run(5_000);
  },
  'cloud.authority': async (rig) => expiring(rig, ({ subject }) => !subject.startsWith('gw_')),
  'cloud.certificate': async (rig) => expiring(rig, ({ subject }) => subject.startsWith('gw_')),
  async 'cloud.tls'(rig) {
    rig.world.network.drop('cloud', false);
    await impostor(rig, 8883);
    await rig.run(5_000);
  },
  async 'cloud.paired'(rig) {
    await rig.stage.api('gateway.remove', { home: rig.home.id, gateway: gatewayId(rig) });
    await rig.run(20_000);
  },
  async 'cloud.mqtt'(rig) {
    const change = sql(
      "UPDATE gateway SET certificate_serial = 'none', previous_serial = NULL WHERE id = ?",
      gatewayId(rig),
    );
    await commit(rig, change);
    await disconnect(rig, 30_000);
  },
  async 'cloud.hello'(rig) {
    await stop(rig, 'oamp');
    await disconnect(rig, 30_000);
  },
  async 'cloud.steady'(rig) {
    for (let i = 0; i < 5; i++) await disconnect(rig);
  },
  async 'cloud.documents'(rig) {
    const never = sql(
      "CREATE TRIGGER never BEFORE INSERT ON desired WHEN NEW.doc = 'voice' BEGIN SELECT RAISE(IGNORE); END",
    );
    await commit(rig, never, sql("DELETE FROM desired WHERE doc = 'voice'"));
    rig.world.disk('elm').files.delete(`${state}/agent/desired-voice.json`);
    await rig.restart();
  },
  async 'cloud.documents-taken'(rig) {
    const body = { domain: 'x', sips: 'nonsense', lines: [] };
    await rig.world.settle(
      rig.stage.cloud.bus.request(
        'gateway.desire',
        { gateway: gatewayId(rig), doc: 'voice', version: 999, body },
        AS_PART,
      ),
    );
    await rig.run(1_000);
  },
  async 'cloud.reports'(rig) {
    await stop(rig, 'home-networking');
    await tell(rig, 'device.report', { devices: [] });
    await rig.run(310_000);
  },
};

const voice: Record<string, Inject> = {
  async 'voice.listener'(rig) {
    rig.world.network.drop('elm', false);
    await rig.run(120_000);
  },
  async 'voice.lines'(rig) {
    for (const { id } of rig.home.lines) await rig.stage.api('line.remove', { home: rig.home.id, line: id });
    await rig.run(2_000);
  },
  async 'voice.softswitch'(rig) {
    await stop(rig, 'softswitch');
    await rig.run(5_000);
  },
  async 'voice.flow'(rig) {
    await stop(rig, 'softswitch');
    await impostor(rig, 5061);
    await rig.run(5_000);
  },
  async 'voice.registered'(rig) {
    await commit(rig, sql('DELETE FROM line WHERE home = ?', rig.home.id));
    await rig.run(320_000);
  },
  async 'voice.refused'(rig) {
    const { username, domain } = rig.home.lines[0]?.sip ?? { username: '', domain: '' };
    const host = lan(rig.home.address, 77);
    const server = rig.gateway.status().sip.udp;
    const world = rig.world.host('stranger', [host]);
    const phone = await rig.world.settle(Phone.open({ world, host, server, domain, username, password: 'wrong' }));
    await rig.world.settle(phone.register());
    await rig.world.settle(phone.close());
  },
  async 'voice.phones'(rig) {
    await rig.world.settle(rig.phones[1].register(0));
    await rig.run(1_000);
  },
  async 'voice.dropped'(rig) {
    const host = lan(rig.home.address, 78);
    const socket = await rig.world.host('scanner', [host]).net.udp({ host, port: 5060 }, () => {});
    const to = rig.gateway.status().sip.udp;
    for (let i = 0; i < 1_000; i++) socket.send(utf8(`OPTIONS sip:${i}@x SIP/2.0\r\n\r\n`), to);
    await rig.run(1_000);
  },
  async 'voice.modem'(rig) {
    rig.modem.manner = 'quiet';
    await rig.run(60_000);
  },
};

const media: Record<string, Inject> = {
  async 'media.engine'(rig) {
    Object.assign(rig.home.engine, { list: () => new Promise(() => {}) });
  },
  async 'media.ports'(rig) {
    const { udp } = rig.home.world.net;
    replace(rig, 'net', {
      udp: async (options, onMessage) => {
        if (options.port >= 20_000 && options.port < 30_000) throw new NetError('EADDRINUSE', 'taken');
        return udp(options, onMessage);
      },
    });
  },
  async 'media.one-way'(rig) {
    rig.world.link({ from: 'elm-phone1', to: 'elm', loss: 1, oneWay: true });
    await rig.run(8_000);
  },
  async 'media.loss'(rig) {
    rig.world.link({ from: 'elm-phone1', to: 'elm', loss: 0.3 });
    await rig.run(8_000);
  },
  async 'media.jitter'(rig) {
    rig.world.link({ from: 'elm-phone1', to: 'elm', jitter: 300 });
    await rig.run(8_000);
  },
};

const home: Record<string, Inject> = {
  async 'lan.listener'(rig) {
    const { udp } = rig.home.world.net;
    replace(rig, 'net', {
      addresses: () => [
        { ...address, host: rig.home.address },
        { ...address, name: 'eth1', host: '10.2.0.7' },
      ],
      udp: async (options, onMessage) => {
        if (options.port === 1900) throw new NetError('EADDRINUSE', 'taken');
        return udp(options, onMessage);
      },
    });
    await rig.run(6_000);
  },
  async 'lan.inventory'(rig) {
    const host = lan(rig.home.address, 79);
    const socket = await rig.world.host('announcer', [host]).net.udp({ host, port: 0 }, () => {});
    for (let i = 0; i < 260; i++) {
      const text = `NOTIFY * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\nNT: upnp:rootdevice\r\nNTS: ssdp:alive\r\nUSN: uuid:${i}::upnp:rootdevice\r\nCACHE-CONTROL: max-age=1800\r\n\r\n`;
      socket.send(utf8(text), { host: '239.255.255.250', port: 1900 });
      if (i % 50 === 49) await rig.run(1_000);
    }
    await rig.run(6_000);
  },
  'system.errors': async (rig) => rig.gateway.diagnostics.log.error('test.planted', { code: 'planted' }),
};

export const faultsOf: Readonly<Record<string, Inject>> = {
  ...power,
  ...storage,
  ...network,
  ...cloud,
  ...voice,
  ...media,
  ...home,
};
