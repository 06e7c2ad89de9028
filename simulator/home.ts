/** One home of a stage: its gateway (real code) in whatever trouble, its lines and its phones. Power can fail and come back. */
import type { ModemLines } from '#device/emergency-modem/server.ts';
import { type Gateway, type Profile, startGateway } from '#device/gateway.ts';
import { localSandbox } from '#shared/applet/local.ts';
import type { World } from '#shared/kernel/world.ts';
import type { MediaEngine } from '#shared/media-engine/engine.ts';
import type { VirtualBoard } from './board.ts';
import type { Ground, StageLine } from './ground.ts';
import { mortal, mortalEngine } from './mortal.ts';
import type { Phone, PhoneOptions } from './phone.ts';
import { tracked } from './tracked.ts';
import { Trouble } from './trouble.ts';
import { troubled } from './troubled.ts';

export type HomePhoneOptions = Partial<
  Pick<PhoneOptions, 'manner' | 'answerAfter' | 'voice' | 'protocol' | 'fax' | 'refuses' | 'refusalHeaders' | 'trace'>
> & {
  readonly kind?: 'phone' | 'appliance';
};

export interface StageHome {
  readonly id: string;
  readonly name: string;
  /** The gateway as it was started last. */
  readonly gateway: Gateway;
  /** The media engine of its gateway. */
  readonly engine: MediaEngine;
  readonly world: World;
  readonly address: string;
  readonly lines: StageLine[];
  /** What is wrong around its gateway. */
  readonly trouble: Trouble;
  readonly isOn: boolean;
  /** Its mobile modem for calls for help, from the next start on. */
  modem: ModemLines | undefined;
  /** Called before each write of its program to its disk; what kills the program prevents that write. */
  beforeWrite: ((path: string) => void) | undefined;
  /** A phone in the house, registered at the gateway. */
  phone(options?: HomePhoneOptions): Promise<Phone>;
  /** Ends the gateway as a power cut does: nothing more reaches its disk or the network, and nobody is told. */
  powerOff(): void;
  /** Starts the gateway again on what its disk holds. */
  powerOn(): Promise<void>;
  /** Ends the gateway as SIGTERM does. */
  stop(): Promise<void>;
  /** Ends the gateway's program as SIGTERM does and starts it again; its media engine, a process of its own, lives on. */
  restart(): Promise<void>;
  /** Ends the gateway's program as SIGKILL does; its media engine lives on. */
  kill(): void;
  /** Starts the program again that was killed. */
  again(): Promise<void>;
}

export interface HomeOptions {
  readonly name: string;
  readonly profile: Profile;
  readonly cloudUrl: string;
  /** The address for its phones, where that is not the gateway's first. */
  readonly listen?: string;
  /** A board with two systems. */
  readonly board?: VirtualBoard;
}

/** The gateway's program, which may end before its machine does. */
interface Program {
  readonly gateway: Gateway;
  readonly isAlive: () => boolean;
  kill(): void;
}

interface Running {
  readonly world: World;
  readonly program: Program;
  readonly engine: MediaEngine;
  kill(): void;
}

/** What a home asks of its ground. */
type HomeGround = Pick<Ground, 'host' | 'folder' | 'engine' | 'isWan' | 'settle'>;
type NewPhone = (home: Home, options: HomePhoneOptions) => Promise<Phone>;

export class Home implements StageHome {
  id = '';
  readonly name: string;
  readonly address: string;
  readonly lines: StageLine[] = [];
  readonly trouble = new Trouble();
  modem: ModemLines | undefined;
  beforeWrite: ((path: string) => void) | undefined;
  readonly #ground: HomeGround;
  readonly #options: HomeOptions;
  readonly #newPhone: NewPhone;
  /** The port of its phones, the same after every start. */
  #port = 0;
  #running: Running | undefined;
  #last: Running | undefined;

  constructor(ground: HomeGround, options: HomeOptions, newPhone: NewPhone) {
    this.#ground = ground;
    this.#options = options;
    this.#newPhone = newPhone;
    this.name = options.name;
    const { world, address } = ground.host(options.name);
    this.address = address;
    options.board?.mount(world, { off: () => this.powerOff(), on: () => this.powerOn() });
  }

  get gateway(): Gateway {
    return this.#now().program.gateway;
  }
  get engine(): MediaEngine {
    return this.#now().engine;
  }
  get world(): World {
    return this.#now().world;
  }
  get isOn(): boolean {
    return this.#running !== undefined;
  }

  phone(options: HomePhoneOptions = {}): Promise<Phone> {
    return this.#newPhone(this, options);
  }

  async powerOn(): Promise<void> {
    if (this.#running !== undefined) return;
    const host = this.#ground.host(this.name);
    const outside = troubled(
      host.world,
      this.trouble,
      (to) => this.#ground.isWan(to) && this.trouble.only?.(to) !== false,
    );
    const around = this.#options.board?.around(outside) ?? outside;
    const { world, kill } = mortal(around, () => host.cut());
    const engine = await this.#ground.settle(this.#ground.engine(world));
    const program = await this.#begin(world, engine);
    this.#running = this.#last = { world, program, engine, kill };
  }

  powerOff(): void {
    // The machine first, or its program's end would be told to the others.
    this.#running?.kill();
    this.#running?.program.kill();
    this.#running = undefined;
  }

  async stop(): Promise<void> {
    const running = this.#running;
    this.#running = undefined;
    if (running === undefined) return;
    await this.#finish(running);
    await this.#ground.settle(running.engine.close(true));
    // What was left half-open is nobody's any more.
    running.kill();
  }

  async restart(): Promise<void> {
    await this.#finish(this.#now());
    await this.again();
  }

  kill(): void {
    this.#now().program.kill();
  }

  async again(): Promise<void> {
    const running = this.#now();
    const program = await this.#begin(running.world, running.engine);
    this.#running = this.#last = { ...running, program };
  }

  async #begin(machine: World, engine: MediaEngine): Promise<Program> {
    const wires = tracked(machine);
    const { world, isAlive, kill } = mortal(
      wires.world,
      () => wires.close(),
      (path) => this.beforeWrite?.(path),
    );
    const starting = startGateway(world, this.#settings(), mortalEngine(engine, isAlive));
    const gateway = await this.#ground.settle(starting);
    this.#port = gateway.status().sip.udp.port;
    return { gateway, isAlive, kill };
  }

  /** As SIGTERM does; a program that was killed has nothing to finish. */
  async #finish({ program }: Running): Promise<void> {
    if (program.isAlive()) await this.#ground.settle(program.gateway.stop());
    program.kill();
  }

  #settings() {
    const { name, profile, cloudUrl, listen, board } = this.#options;
    const sip = { host: listen ?? this.address, port: this.#port };
    const own = { state: this.#ground.folder(name), cloudUrl, profile, sip, sandbox: localSandbox() };
    const { modem } = this;
    return { ...own, ...(board === undefined ? {} : { board }), ...(modem === undefined ? {} : { modem }) };
  }

  #now(): Running {
    const last = this.#running ?? this.#last;
    if (last === undefined) throw new Error(`${this.name} has not started`);
    return last;
  }
}
