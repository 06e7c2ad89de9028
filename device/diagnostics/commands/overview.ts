/** `status`, `line status`, `net status`, `lan hosts`, `serial list`. */
import { size, span } from '../check.ts';
import { asked, type Exit, jsonOption, type Reply, type TechCommand, timeoutOption, told } from './command.ts';
import { fields, printable, time, wrap } from './text.ts';

const options = { json: jsonOption, timeout: timeoutOption };

const health = ({ cloud, sip, pairing }: Reply<'gateway.status'>): Exit =>
  pairing === 'paired' && cloud.link === 'ready' && sip.flow === 'up' ? 0 : 1;

function line({ number, name, kind, phones, upstream }: Reply<'gateway.status'>['lines'][number]): string {
  const where = phones.length > 0 ? phones.join(', ') : kind === 'appliance' ? 'appliance' : 'no phone';
  return `${number}${name === undefined ? '' : ` ${name}`}: ${where}; softswitch ${upstream}`;
}

function modem({
  state,
  registration,
  sim,
  signal,
  sound,
  call,
}: NonNullable<Reply<'gateway.status'>['modem']>): string {
  const strength = signal === undefined ? 'no signal known' : `${signal} dBm`;
  return `${state}, network ${registration}, ${strength}, SIM ${sim}${sound ? '' : ', no sound'}${call ? ', calling' : ''}`;
}

const status: TechCommand = {
  words: 'status',
  about: 'The gateway on one screen.',
  options,
  run: (call) =>
    asked(
      call,
      'gateway.status',
      {},
      (reply) => {
        const { cloud, sip, outbox } = reply;
        const lines = reply.lines.slice(0, 8).map((one, i): [string, string] => [i === 0 ? 'lines' : '', line(one)]);
        call.place.out(
          fields([
            ['gateway', reply.gateway],
            ['profile', `${reply.profile}, version ${reply.version}, up for ${span(reply.uptime)}`],
            ['time', `${time(reply.at)} UTC`],
            ['pairing', `${reply.pairing}${reply.home === undefined ? '' : `, home ${reply.home}`}`],
            ['stage', reply.stage],
            ['problem', reply.problem],
            ['cloud', `${cloud.url}`],
            [
              'link',
              `${cloud.link}, epoch ${cloud.epoch}, for ${span(reply.at - cloud.since)}, clock ${cloud.offset} ms off`,
            ],
            ['why', cloud.why],
            ['sip', `udp ${sip.udp}, tcp ${sip.tcp}; softswitch ${sip.flow}; ${sip.calls} calls`],
            ...lines,
            ['', reply.lines.length > 8 ? `and ${reply.lines.length - 8} more, see \`line status\`` : undefined],
            [
              'settings',
              Object.entries(reply.documents)
                .map(([doc, version]) => `${doc} ${version}`)
                .join(', ') || 'none yet',
            ],
            ['outbox', `${outbox.waiting} waiting (${size(outbox.octets)}), ${outbox.lost} lost`],
            ['network', reply.addresses.slice(0, 4).join(', ')],
            ['lan', `${reply.devices} devices`],
            ['modem', reply.modem === undefined ? undefined : modem(reply.modem)],
          ]),
        );
        return health(reply);
      },
      health,
    ),
};

const lineStatus: TechCommand = {
  words: 'line status',
  about: 'Every line of the gateway: where its phones are, and whether the softswitch knows it.',
  options,
  run: (call) => {
    const code = ({ lines }: Reply<'gateway.status'>): Exit =>
      lines.every(({ phones, kind, upstream }) => (phones.length > 0 || kind === 'appliance') && upstream === 'held')
        ? 0
        : 1;
    return asked(
      call,
      'gateway.status',
      {},
      (reply) => {
        call.place.out(
          reply.lines.length === 0
            ? 'no lines'
            : reply.lines.map((one) => wrap(printable(line(one)), '', '  ')).join('\n'),
        );
        return code(reply);
      },
      code,
    );
  },
};

const netStatus: TechCommand = {
  words: 'net status',
  about: 'Interfaces, addresses, route and name servers.',
  options,
  run: (call) =>
    asked(call, 'gateway.network', {}, ({ interfaces, route, nameservers }) => {
      const rows = interfaces.map(({ name, address, mac, up, mtu }): [string, string] => [
        name,
        `${address} ${mac}${up === false ? ' DOWN' : ''}${mtu === undefined ? '' : ` mtu ${mtu}`}`,
      ]);
      call.place.out(
        fields([...rows, ['route', route ?? 'none known'], ['names', nameservers.join(', ') || 'none known']]),
      );
      return 0;
    }),
};

const lanHosts: TechCommand = {
  words: 'lan hosts',
  about: 'The devices that the gateway sees on its LAN.',
  options,
  run: (call) =>
    asked(call, 'gateway.hosts', {}, ({ items }) => {
      const rows = items.map(({ name, kind, address, mac, found }) =>
        wrap(printable(`${address.padEnd(15)} ${(mac ?? '').padEnd(17)} ${name} (${kind}, ${found})`), '', '  '),
      );
      call.place.out(rows.length === 0 ? 'no devices' : rows.join('\n'));
      return 0;
    }),
};

const lanWake: TechCommand = {
  words: 'lan wake',
  takes: 'MAC',
  about: 'Wakes a device by its hardware address (on the gateway; through the cloud: `device wake`).',
  options,
  async run({ place, words, values }) {
    const mac = words[0]?.toLowerCase().replaceAll('-', ':') ?? '';
    if (!/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/.test(mac)) {
      place.error('lan wake: give the hardware address that `lan hosts` shows.');
      return 3;
    }
    const outcome = await place.channel.ask('device.wake', { mac }, Number(values.timeout ?? 15) * 1000);
    if (!outcome.ok) return told(place, outcome.fault);
    const { sent } = outcome.value as { sent: number };
    const done =
      sent > 0
        ? `sent to ${sent} networks`
        : 'sent nowhere: the gateway sees no LAN with an IPv4 address; see `net status`';
    place.out(values.json === 'true' ? JSON.stringify({ sent }) : wrap(done));
    return sent > 0 ? 0 : 1;
  },
};

const serialList: TechCommand = {
  words: 'serial list',
  about: 'The gateway’s serial ports, with what names a USB adapter for good.',
  options,
  run: (call) =>
    asked(call, 'gateway.serial', {}, ({ items }) => {
      const rows = items.map(({ path, driver, usb, product, serial }) =>
        printable([path.padEnd(16), driver, usb, product, serial].filter((one) => one !== undefined).join(' ')),
      );
      call.place.out(rows.length === 0 ? 'no serial ports' : rows.join('\n'));
      return 0;
    }),
};

export const overviewCommands: readonly TechCommand[] = [status, lineStatus, netStatus, lanHosts, lanWake, serialList];
