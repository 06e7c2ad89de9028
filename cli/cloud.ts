import { mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { type Options, readAddress, readPorts, type Values, writeAddress } from '#shared/host/config.ts';
import { hostWorld } from '#shared/host/world.ts';
import type { Address } from '#shared/kernel/world.ts';
import type { Command } from './command.ts';
import { untilSignal, writeReady } from './process.ts';

const options = {
  data: { kind: 'text', value: 'DIR', about: 'folder of everything that lasts', required: true },
  http: { kind: 'address', value: 'HOST:PORT', about: 'open API and portal', fallback: '127.0.0.1:8080' },
  https: { kind: 'address', value: 'HOST:PORT', about: 'the same over TLS' },
  mqtt: { kind: 'address', value: 'HOST:PORT', about: 'gateways, MQTT over mutual TLS', fallback: ':8883' },
  sip: { kind: 'address', value: 'HOST:PORT', about: 'direct phones, SIP over UDP and TCP', fallback: ':5060' },
  sips: { kind: 'address', value: 'HOST:PORT', about: 'gateways and phones, SIP over TLS', fallback: ':5061' },
  media: { kind: 'ports', value: 'HOST:LOW-HIGH', about: 'RTP ports', fallback: ':20000-29999' },
  public: { kind: 'text', value: 'ADDRESS', about: 'what SDP and Contact advertise (default: the SIP address)' },
  domain: { kind: 'text', value: 'NAME', about: 'SIP domain and digest realm', fallback: 'hearthline' },
  bus: {
    kind: 'text',
    value: 'URL',
    about: 'what carries requests between the parts; this version: in-process',
    fallback: 'in-process',
  },
  store: { kind: 'text', value: 'URL', about: 'what keeps the data; this version: sqlite', fallback: 'sqlite' },
  ready: { kind: 'text', value: 'FILE', about: 'written once everything listens' },
  log: { kind: 'text', value: 'LEVEL', about: 'debug, info, warn or error', fallback: 'warn' },
  'crash-at': {
    kind: 'number',
    value: 'N',
    about: 'die at the N-th crash point of the store (a test of durability)',
  },
  'crash-on-signal': { kind: 'flag', about: 'crash points count from SIGUSR2, not from the start' },
} as const satisfies Options;

const address = (values: Values, name: string): Address =>
  readAddress(values[name] ?? '') ?? { host: '127.0.0.1', port: 0 };

export const cloudCommand: Command = {
  about: 'Runs the cloud: session manager, farm, gateways’ edge, open API and portal.',
  usage: 'hearthline cloud --data DIR [options]',
  options,
  async run({ values }, io) {
    for (const [name, only] of [
      ['bus', 'in-process'],
      ['store', 'sqlite'],
    ] as const) {
      if (values[name] === only) continue;
      io.error(`hearthline cloud: --${name} ${values[name]}: this version has ${only} only; leave the option out.`);
      return 3;
    }
    const { startCloud } = await import('#cloud/main.ts');
    const { openStore } = await import('#cloud/store/server.ts');
    const { processEngine } = await import('#cloud/farm/media/server.ts');
    const world = hostWorld({ level: (values.log as 'warn') ?? 'warn' });
    const data = resolve(values.data ?? '');
    try {
      const crashAt = values['crash-at'];
      mkdirSync(data, { recursive: true, mode: 0o700 });
      const store = await openStore(
        join(data, 'hearthline.db'),
        crashAt === undefined
          ? {}
          : {
              crashAt: Number(crashAt),
              ...(values['crash-on-signal'] === 'true'
                ? { crashFrom: new Promise((resolve) => process.once('SIGUSR2', resolve)) }
                : {}),
            },
      );
      const ports = readPorts(values.media ?? '') ?? { host: '0.0.0.0', low: 20_000, high: 29_999 };
      const cloud = await startCloud(
        world,
        {
          data,
          http: address(values, 'http'),
          ...(values.https === undefined ? {} : { https: address(values, 'https') }),
          mqtt: address(values, 'mqtt'),
          sip: address(values, 'sip'),
          sips: address(values, 'sips'),
          media: ports,
          ...(values.public === undefined ? {} : { publicHost: values.public }),
          ...(values.domain === undefined ? {} : { domain: values.domain }),
          portal: resolve(import.meta.dirname, '../dist/portal'),
        },
        { store, engineFor: processEngine },
      );
      const { bound, publicHost, authority } = cloud.config;
      const shown = (at: Address | undefined) =>
        at === undefined
          ? undefined
          : writeAddress({ host: at.host === '0.0.0.0' || at.host === '::' ? publicHost : at.host, port: at.port });
      await writeReady(world, values.ready, {
        pid: process.pid,
        http: bound.http,
        ...(bound.https === undefined ? {} : { https: `${bound.https}#sha256-${authority.keyHash}` }),
        mqtt: shown(bound.mqtt),
        sip: { udp: shown(bound.sipUdp), tcp: shown(bound.sipTcp), tls: shown(bound.sips) },
        operatorToken: cloud.operatorToken,
        ca: authority.certificate,
      });
      io.out(
        `Hearthline cloud: portal and API at ${bound.http}, gateways at ${shown(bound.mqtt)}, SIP at ${shown(bound.sipUdp)}. The operator’s token stands in ${join(data, 'operator-token')}.`,
      );
      return await untilSignal(() => cloud.stop(), io.error);
    } catch (error) {
      io.error(`hearthline cloud: ${error instanceof Error ? error.message : String(error)}`);
      process.exit(3);
    }
  },
};
