import { join, resolve } from 'node:path';
import { type Options, readAddress, readPorts, type Values, writeAddress } from '#shared/host/config.ts';
import { makeFolder } from '#shared/host/folder.ts';
import { logUnhandled } from '#shared/host/unhandled.ts';
import { hostWorld } from '#shared/host/world.ts';
import type { Address } from '#shared/kernel/world.ts';
import { type Command, logOption } from './command.ts';
import { untilSignal, writeReady } from './process.ts';

const options = {
  data: { kind: 'text', value: 'DIR', about: 'folder of everything that lasts', required: true },
  http: { kind: 'address', value: 'HOST:PORT', about: 'open API and portal', fallback: '127.0.0.1:8080' },
  https: { kind: 'address', value: 'HOST:PORT', about: 'the same over TLS' },
  mqtt: { kind: 'address', value: 'HOST:PORT', about: 'gateways, MQTT over mutual TLS', fallback: ':8883' },
  sip: { kind: 'address', value: 'HOST:PORT', about: 'direct phones, SIP over UDP and TCP', fallback: ':5060' },
  sips: { kind: 'address', value: 'HOST:PORT', about: 'gateways and phones, SIP over TLS', fallback: ':5061' },
  'sip-dns': {
    kind: 'address',
    value: 'HOST:PORT',
    about: 'DNS server by which trunks are found, by NAPTR and SRV (default: the system’s names)',
  },
  ws: { kind: 'address', value: 'HOST:PORT', about: 'SIP over WebSockets, in the clear (default: closed)' },
  wss: { kind: 'address', value: 'HOST:PORT', about: 'SIP over WebSockets and TLS, for browsers (default: closed)' },
  'ws-origins': { kind: 'text', value: 'URL,URL', about: 'origins of pages that may open one, beside our own names' },
  media: { kind: 'ports', value: 'HOST:LOW-HIGH', about: 'RTP ports', fallback: ':20000-29999' },
  smtp: { kind: 'address', value: 'HOST:PORT', about: 'mail from other servers (default: closed)' },
  submission: { kind: 'address', value: 'HOST:PORT', about: 'mail from people’s mail programs (default: closed)' },
  relay: { kind: 'text', value: 'URL', about: 'smtp:// or smtps:// server that takes mail for other domains' },
  mx: { kind: 'flag', about: 'without --relay: bring mail to other domains’ own servers' },
  'mail-domain': { kind: 'host', value: 'NAME', about: 'domain of the mailboxes (default: --domain)' },
  'mail-dns': { kind: 'text', value: 'HOST:PORT', about: 'DNS server for mail (default: the system’s)' },
  public: { kind: 'host', value: 'ADDRESS', about: 'what SDP and Contact advertise (default: the SIP address)' },
  domain: { kind: 'host', value: 'NAME', about: 'SIP domain and digest realm', fallback: 'hearthline' },
  bus: {
    kind: 'text',
    value: 'URL',
    about: 'what carries requests between the parts; this version: in-process',
    fallback: 'in-process',
  },
  store: { kind: 'text', value: 'URL', about: 'what keeps the data; this version: sqlite', fallback: 'sqlite' },
  'hold-music': {
    kind: 'text',
    value: 'FILE',
    about: 'WAV file (8 kHz, mono) for who is put on hold, or none (default: a melody of our own)',
  },
  'private-webhooks': { kind: 'flag', about: 'webhooks of subscribers may go to http and to private addresses' },
  ready: { kind: 'text', value: 'FILE', about: 'written once everything listens' },
  log: logOption,
  softswitches: {
    kind: 'number',
    value: 'N',
    about: 'softswitch processes; each further one listens ten ports higher (default: one, in this process)',
  },
  'crash-at': {
    kind: 'number',
    value: 'N',
    about: 'die at the N-th crash point of the store (a test of durability)',
  },
  'crash-on-signal': { kind: 'flag', about: 'crash points count from SIGUSR2, not from the start' },
} as const satisfies Options;

const address = (values: Values, name: string): Address =>
  readAddress(values[name] ?? '') ?? { host: '127.0.0.1', port: 0 };

/** A file is meant from where the command was given. */
const holdMusic = (file: string | undefined) =>
  file === undefined ? {} : { holdMusic: file === 'none' ? file : resolve(file) };

/** Where mail comes in and goes out. */
function mailSettings(values: Values) {
  const { relay, mx } = values;
  const [domain, dns] = [values['mail-domain'], values['mail-dns']];
  return {
    ...(domain === undefined ? {} : { domain }),
    ...(values.smtp === undefined ? {} : { smtp: address(values, 'smtp') }),
    ...(values.submission === undefined ? {} : { submission: address(values, 'submission') }),
    ...(relay === undefined ? {} : { relay }),
    ...(mx === 'true' ? { mx: true } : {}),
    ...(dns === undefined ? {} : { dns }),
  };
}

/** SIP for browsers. */
function webSockets(values: Values) {
  const origins = (values['ws-origins'] ?? '').split(',').filter((origin) => origin !== '');
  return {
    ...(values.ws === undefined ? {} : { ws: address(values, 'ws') }),
    ...(values.wss === undefined ? {} : { wss: address(values, 'wss') }),
    ...(origins.length === 0 ? {} : { wsOrigins: origins }),
  };
}

/** The softswitch as several processes, where they are asked for. */
async function softswitches(values: Values, data: string) {
  if (values.softswitches === undefined) return {};
  const { SOFTSWITCHES, softswitchProcesses } = await import('#cloud/softswitch-process/server.ts');
  const count = Number(values.softswitches);
  if (!Number.isInteger(count) || count < 1 || count > SOFTSWITCHES)
    throw new Error(`--softswitches is a number from 1 to ${SOFTSWITCHES}.`);
  const database = join(data, 'hearthline.db');
  return { softswitch: softswitchProcesses({ count, database, level: values.log ?? 'warn' }) };
}

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
    const { processSandbox } = await import('#shared/applet/adapter-process.ts');
    const world = hostWorld({ level: (values.log as 'warn') ?? 'warn' });
    logUnhandled(world.log);
    const data = resolve(values.data ?? '');
    try {
      const crashAt = values['crash-at'];
      // The folder may be there already, and readable: what is made in it is nobody else's (credentials, names, messages).
      process.umask(0o077);
      await makeFolder(data);
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
          ...(values['sip-dns'] === undefined ? {} : { sipDns: address(values, 'sip-dns') }),
          ...webSockets(values),
          media: ports,
          ...holdMusic(values['hold-music']),
          ...(values.public === undefined ? {} : { publicHost: values.public }),
          ...(values.domain === undefined ? {} : { domain: values.domain }),
          ...(values['private-webhooks'] === 'true' ? { privateWebhooks: true } : {}),
          mail: mailSettings(values),
          portal: resolve(import.meta.dirname, '../dist/portal'),
        },
        {
          store,
          engineFor: processEngine,
          sandbox: processSandbox,
          trusting: true,
          ...(await softswitches(values, data)),
        },
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
        sip: {
          udp: shown(bound.sipUdp),
          tcp: shown(bound.sipTcp),
          tls: shown(bound.sips),
          ...(bound.ws === undefined ? {} : { ws: shown(bound.ws) }),
          ...(bound.wss === undefined ? {} : { wss: shown(bound.wss) }),
        },
        ...(bound.softswitches === undefined
          ? {}
          : {
              softswitches: bound.softswitches.map(({ pid, sipUdp, sipTcp, sips }) => ({
                ...{ pid, udp: shown(sipUdp), tcp: shown(sipTcp), tls: shown(sips) },
              })),
            }),
        ...(bound.smtp === undefined ? {} : { smtp: shown(bound.smtp) }),
        ...(bound.submission === undefined ? {} : { submission: shown(bound.submission) }),
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
