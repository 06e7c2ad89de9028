import { resolve } from 'node:path';
import { type Options, readAddress, readPorts, type Values, writeAddress } from '#shared/host/config.ts';
import { readProxy } from '#shared/host/proxy.ts';
import { hostWorld } from '#shared/host/world.ts';
import { type Address, NetError } from '#shared/kernel/world.ts';
import { type Command, logOption } from './command.ts';
import { systemdNotifier } from './notify.ts';
import { untilSignal, writeReady } from './process.ts';

const options = {
  state: { kind: 'text', value: 'DIR', about: 'folder of key, certificate, documents and outbox', required: true },
  cloud: {
    kind: 'text',
    value: 'URL',
    about:
      'https://host#sha256-KEY, https://host, or http on loopback; without it the house is served, and nothing else',
  },
  profile: {
    kind: 'text',
    value: 'NAME',
    about: 'residential-gateway, personal-computer or ip-appliance',
    fallback: 'residential-gateway',
  },
  sip: { kind: 'address', value: 'HOST:PORT', about: 'phones of the house, SIP over UDP and TCP', fallback: ':5060' },
  media: { kind: 'ports', value: 'HOST:LOW-HIGH', about: 'RTP ports', fallback: ':20000-29999' },
  page: { kind: 'address', value: 'HOST:PORT', about: 'the gateway’s own page', fallback: '127.0.0.1:8081' },
  console: {
    kind: 'text',
    value: 'TTY[:BAUD]',
    about: 'a serial line for the technician’s console, such as /dev/ttyS0:9600',
  },
  'emergency-modem': {
    kind: 'text',
    value: 'TTY[:BAUD]',
    about: 'a mobile modem that calls for help where cloud and fallback trunk are gone',
  },
  'emergency-modem-audio': {
    kind: 'text',
    value: 'TTY[:BAUD]',
    about: 'the port of the modem for the sound of its calls',
  },
  board: { kind: 'text', value: 'KIND', about: 'rauc on an image with two systems, none elsewhere', fallback: 'none' },
  'update-socket': {
    kind: 'text',
    value: 'PATH',
    about: 'where the update helper of an image answers',
    fallback: '/run/hearthline/update.sock',
  },
  'update-folder': { kind: 'text', value: 'DIR', about: 'where updates are put while they are fetched' },
  stage: { kind: 'text', value: 'FILE', about: 'where the stage of the start is written, and told on standard output' },
  led: { kind: 'text', value: 'NAME', about: 'a LED of the board that shows the stage, such as ACT' },
  wifi: { kind: 'text', value: 'FILE', about: 'name and password of the house’s own Wi-Fi, shown on the page' },
  proxy: { kind: 'text', value: 'URL', about: 'http://host:port, by which the cloud is reached (not for sound)' },
  ready: { kind: 'text', value: 'FILE', about: 'written once everything listens, and again when the code changes' },
  log: logOption,
} as const satisfies Options;

const address = (values: Values, name: string): Address =>
  readAddress(values[name] ?? '') ?? { host: '127.0.0.1', port: 0 };

/** Milliseconds after which the ready file is written even without a code. */
const CODE_WITHIN = 10_000;

export const deviceCommand: Command = {
  about: 'Runs the user agent: pairs with the cloud, serves the house’s phones, watches the LAN.',
  usage: 'hearthline device --state DIR --cloud URL [options]',
  options,
  async run({ values }, io) {
    const { profiles, qrText, readSerial, runDevice, stageLine } = await import('#device/main.ts');
    const profile = profiles.find((name) => name === values.profile);
    if (profile === undefined) {
      io.error(`hearthline device: --profile ${values.profile}: is one of ${profiles.join(', ')}`);
      return 3;
    }
    const lines = ['console', 'emergency-modem', 'emergency-modem-audio'] as const;
    for (const name of lines) {
      if (values[name] === undefined || readSerial(values[name]) !== undefined) continue;
      io.error(`hearthline device: --${name} ${values[name]}: is a path such as /dev/ttyS0, or /dev/ttyS0:9600`);
      return 3;
    }
    const [line, control, audio] = lines.map((name) => readSerial(values[name] ?? ''));
    if (audio !== undefined && control === undefined) {
      io.error('hearthline device: --emergency-modem-audio needs --emergency-modem');
      return 3;
    }
    if (values.board !== 'rauc' && values.board !== 'none') {
      io.error(`hearthline device: --board ${values.board}: is rauc or none`);
      return 3;
    }
    const proxy = values.proxy === undefined ? undefined : readProxy(values.proxy);
    if (values.proxy !== undefined && proxy === undefined) {
      io.error(`hearthline device: --proxy ${values.proxy}: is http://HOST:PORT`);
      return 3;
    }
    const world = hostWorld({ level: (values.log as 'warn') ?? 'warn', ...(proxy === undefined ? {} : { proxy }) });
    try {
      const notifier = systemdNotifier(
        world.clock,
        io.environment,
        process.pid,
        () => device.gateway.status() !== undefined,
      );
      const device = await runDevice(world, {
        state: resolve(values.state ?? ''),
        cloudUrl: values.cloud ?? '',
        profile,
        sip: address(values, 'sip'),
        media: readPorts(values.media ?? '') ?? { host: '0.0.0.0', low: 20_000, high: 29_999 },
        page: address(values, 'page'),
        ...(line === undefined ? {} : { console: line }),
        ...(control === undefined ? {} : { emergency: { control, ...(audio === undefined ? {} : { audio }) } }),
        ...(values.wifi === undefined ? {} : { wifi: values.wifi }),
        ...(values.led === undefined ? {} : { led: values.led }),
        ...(values.stage === undefined ? {} : { stage: values.stage, say: io.out }),
        ...(values.board === 'rauc' ? { helper: values['update-socket'] ?? '' } : {}),
        ...(values['update-folder'] === undefined ? {} : { updates: values['update-folder'] }),
      });
      const stage = () => notifier.status(stageLine(device.stages.standing()));
      device.gateway.onChange(stage);
      stage();
      notifier.ready();
      const patience = world.clock.mono() + CODE_WITHIN;
      let shown = '';
      let writing = Promise.resolve();
      const tell = () => {
        const { pairing, sip } = device.gateway.status();
        const content = {
          pid: process.pid,
          id: pairing.gateway,
          sip: { udp: writeAddress(sip.udp), tcp: writeAddress(sip.tcp) },
          localPage: device.page,
          pairing: pairing.at === 'paired' ? null : shownPairing(pairing),
        };
        // A code comes within moments where the cloud is reached; whoever waits for the file wants it in there.
        if (content.pairing?.code === null && world.clock.mono() < patience) return;
        const text = JSON.stringify(content);
        if (text === shown) return;
        shown = text;
        writing = writing.then(() => writeReady(world, values.ready, content));
        const { code, qr } = content.pairing ?? {};
        const state =
          code === null ? (pairing.problem ?? 'Looking for the cloud.') : `Code ${code} (${pairing.words}).`;
        io.out(
          content.pairing === null
            ? `${pairing.gateway}: paired; phones register at ${content.sip.udp}.`
            : `${pairing.gateway}: not paired. ${state} Page ${device.page}.`,
        );
        if (typeof qr === 'string') io.out(`${qrText(qr)}\n${qr}`);
      };
      device.gateway.onChange(tell);
      world.clock.at(patience, tell);
      tell();
      return await untilSignal(async () => {
        notifier.stopping();
        await writing;
        await device.stop();
      }, io.error);
    } catch (error) {
      io.error(`hearthline device: ${refusalOf(error, values)}`);
      process.exit(3);
    }
  },
};

/** Why it did not start; an address that is taken names its flag. */
function refusalOf(error: unknown, values: Values): string {
  if (!(error instanceof Error)) return String(error);
  if (!(error instanceof NetError) || error.code !== 'EADDRINUSE') return error.message;
  const named = (['sip', 'page'] as const).find((name) => error.message.includes(writeAddress(address(values, name))));
  if (named === undefined) return `${error.message}. Give another with --sip, --page or --media.`;
  return `${writeAddress(address(values, named))} is taken by another program; choose another with --${named}.`;
}

/** What the ready file says of a gateway that is not paired; the code is null while the cloud is not reached. */
function shownPairing({ code, qr, words, problem }: { code?: string; qr?: string; words: string; problem?: string }) {
  return { code: code ?? null, qr: qr ?? null, words, ...(problem === undefined ? {} : { problem }) };
}
