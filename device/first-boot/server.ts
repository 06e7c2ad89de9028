/** Watches the stages of a gateway's start and tells them: console, local page, a file for the boot partition, LED, mDNS. */
import { utf8 } from '#shared/kernel/bytes.ts';
import { every } from '#shared/kernel/time.ts';
import type { InterfaceAddress, Timer, UdpSocket, World } from '#shared/kernel/world.ts';
import { onLink } from '../home-network/lan.ts';
import { MDNS_GROUP, MDNS_PORT } from '../home-network/mdns.ts';
import type { PairingStatus } from '../pairing/status.ts';
import type { Led } from './adapter-led.ts';
import { announcement, asksForUs, type BeaconFacts, EVERYBODY, readQuestions } from './beacon.ts';
import { patternOf, shown } from './led.ts';
import { type Standing, stageLine, standing } from './stages.ts';
import type { StageReport } from './status-text.ts';
import { factsOf } from './watch.ts';

export interface StageOptions {
  readonly world: World;
  /** The gateway's state folder. */
  readonly state: string;
  readonly pairing: () => PairingStatus;
  readonly cloudSet: boolean;
  /** Port of the local page, where others on the LAN reach it; absent: the gateway does not tell of itself by mDNS. */
  readonly page?: number;
  readonly led?: Led;
  /** Where the stage is written for whoever has the boot partition. */
  readonly file?: string;
  /** Takes a line for the console. */
  readonly say: (line: string) => void;
}

export interface Stages {
  standing(): Standing;
  /** Looks again, as something has changed. */
  look(): void;
  stop(): Promise<void>;
}

/** Milliseconds between looks at what tells nobody when it changes, and between trials of the disk. */
const LOOK_EVERY = 2_000;
const TRY_DISK_EVERY = 600_000;
/** Answers by mDNS on one port in a second, at the most (RFC 6762, section 6). */
const ANSWERS = 5;
/** systemd-timesyncd makes it once a time server has answered. */
const SYNCHRONIZED = '/run/systemd/timesync/synchronized';
const HOSTNAME = '/proc/sys/kernel/hostname';

/** Begins to watch; resolves when the first look is done. */
export async function watchStages(options: StageOptions): Promise<Stages> {
  const watcher = new Watcher(options);
  await watcher.start();
  return watcher;
}

class Watcher implements Stages {
  readonly #options: StageOptions;
  readonly #beacon: Beacon | undefined;
  readonly #stops: (() => void)[] = [];
  #storage = true;
  #timed = false;
  #standing: Standing;
  #told = '';
  #ready = false;
  #writing: Promise<void> = Promise.resolve();
  #blink: Timer | undefined;
  #blinking = '';
  #stopped = false;

  constructor(options: StageOptions) {
    this.#options = options;
    this.#standing = standing(factsOf(this.#seen()));
    if (options.page !== undefined) this.#beacon = new Beacon(options.world, options.page);
  }

  async start(): Promise<void> {
    const { clock } = this.#options.world;
    await this.#tryDisk();
    await this.#poll();
    this.#stops.push(
      every(clock, LOOK_EVERY, () => void this.#poll()),
      every(clock, TRY_DISK_EVERY, () => void this.#tryDisk()),
    );
  }

  standing(): Standing {
    return this.#standing;
  }

  look(): void {
    if (this.#stopped) return;
    const { pairing, say } = this.#options;
    this.#standing = standing(factsOf(this.#seen()));
    const report: StageReport = {
      gateway: pairing().gateway,
      rows: this.#standing.rows,
      addresses: factsOf(this.#seen()).addresses,
    };
    const text = JSON.stringify(report);
    if (text === this.#told) return;
    this.#told = text;
    say(stageLine(this.#standing));
    if (this.#standing.readyToPair && !this.#ready && pairing().at !== 'paired') say('ready to pair');
    this.#ready ||= this.#standing.readyToPair;
    this.#write(text);
    this.#showLed();
    this.#beacon?.tell(this.#text());
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    for (const stop of this.#stops) stop();
    this.#blink?.cancel();
    await this.#writing;
    await this.#beacon?.close();
  }

  #seen() {
    const { world, pairing, cloudSet } = this.#options;
    return {
      pairing: pairing(),
      addresses: world.net.addresses(),
      storage: this.#storage,
      timed: this.#timed,
      cloudSet,
    };
  }

  async #poll(): Promise<void> {
    const { world, pairing } = this.#options;
    if (!this.#timed) this.#timed = (await world.disk.read(SYNCHRONIZED).catch(() => undefined)) !== undefined;
    const host = await world.disk.read(HOSTNAME).catch(() => undefined);
    if (this.#stopped) return;
    await this.#beacon?.follow(pairing().gateway, new TextDecoder().decode(host).trim());
    this.look();
  }

  async #tryDisk(): Promise<void> {
    const { world, state } = this.#options;
    this.#storage = await world.disk.write(`${state}/alive`, utf8(`${world.clock.wall()}\n`)).then(
      () => true,
      () => false,
    );
    this.look();
  }

  #write(text: string): void {
    const { world, file } = this.#options;
    if (file === undefined) return;
    this.#writing = this.#writing
      .then(() => world.disk.write(file, utf8(text)))
      .catch((error: unknown) => {
        world.log.warn('stage.not-written', { why: String(error) });
      });
  }

  /** Strings for mDNS; a code is none of them. */
  #text(): string[] {
    const { stage, number } = this.#standing;
    const { pairing } = this.#options;
    return [`stage=${stage}`, `number=${number}`, `paired=${pairing().at === 'paired' ? 1 : 0}`, 'txtvers=1'];
  }

  #showLed(): void {
    const { led, world } = this.#options;
    const { stage } = this.#standing;
    if (led === undefined || stage === this.#blinking) return;
    this.#blinking = stage;
    const [pattern, began] = [patternOf(stage), world.clock.mono()];
    const turn = () => {
      const { on, lasts } = shown(pattern, Math.max(0, world.clock.mono() - began));
      void led.set(on);
      if (lasts !== undefined && !this.#stopped) this.#blink = world.clock.at(world.clock.mono() + lasts, turn);
    };
    this.#blink?.cancel();
    turn();
  }
}

/** Tells of the gateway by mDNS on every LAN port that has an IPv4 address. */
class Beacon {
  readonly #world: World;
  readonly #page: number;
  readonly #ports = new Map<string, { readonly socket: UdpSocket; readonly facts: () => BeaconFacts }>();
  #gateway = '';
  #host = 'hearthline';
  #text: readonly string[] = [];

  constructor(world: World, page: number) {
    this.#world = world;
    this.#page = page;
  }

  /** Says the present text to everybody. */
  tell(text: readonly string[]): void {
    this.#text = text;
    for (const { socket, facts } of this.#ports.values()) socket.send(announcement(facts()), EVERYBODY);
  }

  /** Follows the ports as they come and go. */
  async follow(gateway: string, host: string): Promise<void> {
    [this.#gateway, this.#host] = [gateway, host === '' ? this.#host : host];
    const here = this.#world.net.addresses().filter(({ loopback, family }) => !loopback && family === 4);
    for (const [address, { socket }] of this.#ports) {
      if (here.some((one) => one.host === address)) continue;
      this.#ports.delete(address);
      await socket.close();
    }
    if (gateway !== '') for (const address of here) if (!this.#ports.has(address.host)) await this.#open(address);
  }

  async close(): Promise<void> {
    for (const { socket, facts } of this.#ports.values()) {
      socket.send(announcement(facts(), true), EVERYBODY);
      await socket.close();
    }
    this.#ports.clear();
  }

  async #open(address: InterfaceAddress): Promise<void> {
    const facts = (): BeaconFacts => ({
      gateway: this.#gateway,
      host: this.#host,
      address: address.host,
      port: this.#page,
      text: this.#text,
    });
    let [second, answers] = [0, 0];
    const options = {
      host: '0.0.0.0',
      port: MDNS_PORT,
      shared: true,
      multicast: { group: MDNS_GROUP, interface: address.host },
    };
    try {
      const socket = await this.#world.net.udp(options, (data, from) => {
        const questions = onLink(address, from.host) ? readQuestions(data) : undefined;
        if (questions === undefined || !asksForUs(questions, facts())) return;
        const now = Math.floor(this.#world.clock.mono() / 1000);
        [second, answers] = now === second ? [second, answers + 1] : [now, 1];
        if (answers <= ANSWERS) socket.send(announcement(facts()), EVERYBODY);
      });
      this.#ports.set(address.host, { socket, facts });
      socket.send(announcement(facts()), EVERYBODY);
    } catch (error) {
      this.#world.log.warn('stage.no-mdns', { interface: address.name, why: String(error) });
    }
  }
}
