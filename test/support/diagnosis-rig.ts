/** A home on the virtual world with a paired gateway, two phones and a call between them, for the tests of its diagnosis. */
import type { Store } from '#cloud/store/store.ts';
import type { CheckReport } from '#device/diagnostics/judge.ts';
import { type Gateway, startGateway } from '#device/gateway.ts';
import { fromLatin1, latin1 } from '#shared/kernel/bytes.ts';
import { FRAME } from '#shared/rtp/packet.ts';
import { type SimModem, virtualModem } from '#simulator/modem.ts';
import type { Phone, PhoneCall } from '#simulator/phone.ts';
import type { Stage, StageHome } from '#simulator/stage.ts';
import { virtualStage } from '#simulator/virtual-stage.ts';
import type { VirtualWorld } from '#simulator/world.ts';

const NAMED = 'cloud.example';

/** Another address on the same LAN. */
export const lan = (address: string, last: number): string => address.replace(/[0-9]+$/, String(last));

/** As `/proc/net/route` writes it. */
const hexOf = (address: string): string =>
  address
    .split('.')
    .reverse()
    .map((octet) => Number(octet).toString(16).padStart(2, '0').toUpperCase())
    .join('');

export class Rig implements AsyncDisposable {
  readonly stage: Stage;
  readonly world: VirtualWorld;
  /** The cloud's. */
  readonly store: Store;
  /** Address of the home's router. */
  readonly router: string;
  readonly home: StageHome;
  readonly phones: readonly [Phone, Phone];
  readonly modem: SimModem;
  /** The gateway that runs now: the home's first, or the one that was started anew. */
  gateway: Gateway;
  call: PhoneCall | undefined;
  #restarted: Gateway | undefined;

  private constructor(
    stage: Stage,
    world: VirtualWorld,
    store: Store,
    home: StageHome,
    phones: readonly [Phone, Phone],
    modem: SimModem,
  ) {
    this.stage = stage;
    this.world = world;
    this.store = store;
    this.router = lan(home.address, 254);
    this.home = home;
    this.phones = phones;
    this.modem = modem;
    this.gateway = home.gateway;
  }

  static async open(seed: number): Promise<Rig> {
    let kept: Store | undefined;
    const { stage, world } = await virtualStage({ seed }, async (_world, store) => {
      kept = store;
    });
    if (kept === undefined) throw new Error('no store');
    const home = await stage.home('elm');
    const { modem, lines } = virtualModem(home.world.clock, new Int16Array(FRAME));
    home.modem = lines;
    await home.restart();
    const phones = [
      await home.phone({ manner: 'answer' }),
      await home.phone({ manner: 'answer', answerAfter: 100 }),
    ] as const;
    const rig = new Rig(stage, world, kept, home, phones, modem);
    for (const [path, text] of Object.entries(board(rig.router))) rig.file(path, text);
    const router = world.host('router', [rig.router]);
    await router.net.udp({ host: rig.router, port: 53 }, (query, from) => rig.#named?.(query, from));
    rig.#router = await router.net.udp({ host: rig.router, port: 54 }, () => {});
    return rig;
  }

  #named: ((query: Uint8Array, from: { host: string; port: number }) => void) | undefined;
  #router: { send(data: Uint8Array, to: { host: string; port: number }): void } | undefined;

  /** The router's name server answers with this response code (RFC 1035 section 4.1.1) from now on. */
  names(code: number): void {
    this.#named = (query, from) => {
      const answer = query.slice();
      answer[2] = 0x81;
      answer[3] = 0x80 | code;
      this.#router?.send(answer, from);
    };
  }

  file(path: string, text: string): void {
    this.world.disk('elm').files.set(path, fromLatin1(text));
  }

  read(path: string): string {
    return latin1(this.world.disk('elm').files.get(path) ?? new Uint8Array());
  }

  run(ms: number): Promise<void> {
    return this.world.run(ms);
  }

  /** The first phone calls the second, and both talk. */
  async talk(): Promise<void> {
    this.call = await this.world.settle(this.phones[0].dial(this.home.lines[1]?.number ?? ''));
    await this.world.until(() => this.call?.state === 'up', 10_000, 'the call');
    await this.run(3_000);
  }

  /** Ends the gateway and starts it again, with a cloud that it finds by name if asked so. */
  async restart(named = false): Promise<void> {
    await this.world.settle(this.gateway.stop());
    const { cloud, ground } = this.stage;
    const url = ground.url(cloud);
    if (named) {
      const ask = this.home.world.http;
      this.world.serveHttp('cloud', `${NAMED}:8443`, ({ method, path }) =>
        ask.request({ method, url: `https://10.0.0.1:8443${path}` }),
      );
    }
    const settings = {
      state: ground.folder('elm'),
      cloudUrl: named ? url.replace('10.0.0.1', NAMED) : url,
      profile: 'residential-gateway' as const,
      sip: { host: this.home.address, port: this.gateway.status().sip.udp.port },
      ...(this.home.modem === undefined ? {} : { modem: this.home.modem }),
    };
    this.gateway = this.#restarted = await this.world.settle(startGateway(this.home.world, settings, this.home.engine));
    await this.run(15_000);
  }

  async report(quick = false): Promise<CheckReport> {
    const outcome = await this.world.settle(this.gateway.diagnostics.answer('gateway.check.local', { quick }));
    if (!outcome.ok) throw new Error(JSON.stringify(outcome.fault));
    return outcome.value as CheckReport;
  }

  /** The answer to a question, which must be one. */
  async ask<T>(verb: string, body: object): Promise<T> {
    const outcome = await this.world.settle(this.gateway.diagnostics.answer(verb, body));
    if (!outcome.ok) throw new Error(JSON.stringify(outcome.fault));
    return outcome.value as T;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#restarted !== undefined) await this.world.settle(this.#restarted.stop());
    await this.stage[Symbol.asyncDispose]();
  }
}

/** What Linux tells on a healthy board. */
const board = (router: string): Readonly<Record<string, string>> => ({
  '/sys/class/thermal/thermal_zone0/temp': '48312\n',
  '/sys/devices/platform/soc/soc:firmware/get_throttled': '0\n',
  '/proc/meminfo': 'MemTotal:        3884000 kB\nMemFree:         1200000 kB\nMemAvailable:    2900000 kB\n',
  '/proc/net/route': `Iface\tDestination\tGateway \tFlags\neth0\t00000000\t${hexOf(router)}\t0003\neth0\t0000010A\t00000000\t0001\n`,
  '/proc/net/arp': `IP address       HW type     Flags       HW address            Mask     Device\n${router}       0x1         0x2         02:00:00:00:00:99     *        eth0\n`,
  '/etc/resolv.conf': `# made by dhcp\nnameserver ${router}\n`,
  '/etc/hosts': '127.0.0.1 localhost\n',
  '/sys/class/net/eth0/operstate': 'up\n',
  '/sys/class/net/eth0/mtu': '1500\n',
  '/sys/class/net/eth0/statistics/rx_packets': '2000000\n',
  '/sys/class/net/eth0/statistics/rx_errors': '12\n',
});

/** A gateway that is well: every other one finds its cloud by name, and a call is up. */
export async function healthyHome(seed: number): Promise<Rig> {
  const rig = await Rig.open(seed);
  rig.names(0);
  if (seed % 2 === 1) await rig.restart(true);
  await rig.run(95_000);
  for (const phone of rig.phones) await rig.world.settle(phone.register());
  await rig.run(1_000);
  await rig.talk();
  return rig;
}
