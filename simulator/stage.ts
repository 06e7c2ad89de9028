/**
 * A stage for scenarios: an operator's cloud and homes with real gateway code and simulated phones, on either world. A scenario
 * is written once; `virtualStage` runs it in virtual time with a trace hash, `realStage` on loopback sockets in real time.
 */
import { type Cloud, type CloudPieces, type CloudSettings, startCloud } from '#cloud/main.ts';
import { type Gateway, type Profile, startGateway } from '#device/gateway.ts';
import type { World } from '#shared/kernel/world.ts';
import type { MediaEngine } from '#shared/media-engine/engine.ts';
import { type VerbName, type VerbReply, type VerbRequest, verbEntry } from '#shared/protocol/verbs/index.ts';
import { Phone, type PhoneOptions } from './phone.ts';

/** What the two worlds do differently. */
export interface Ground {
  /** The world as a host sees it; `address` is the host's own. */
  host(name: string): { readonly world: World; readonly address: string };
  /** A cloud's pieces and settings; the same data again finds the same store. */
  cloud(): Promise<{ readonly pieces: CloudPieces; readonly settings: CloudSettings }>;
  /** Folder for the state of a gateway. */
  folder(name: string): string;
  engine(world: World): Promise<MediaEngine>;
  /** Where gateways find the cloud. */
  url(cloud: Cloud): string;
  /** Lets time pass. */
  pass(ms: number): Promise<void>;
  /** Lets time pass until the condition holds; throws after `limit` ms. */
  until(condition: () => boolean | Promise<boolean>, limit: number, what: string): Promise<void>;
  /** Lets time pass until a promise settles. */
  settle<T>(promise: Promise<T>): Promise<T>;
  /** Calls the open API. */
  request(
    cloud: Cloud,
    method: string,
    path: string,
    body: unknown,
  ): Promise<{ readonly status: number; readonly body: unknown }>;
  close(): Promise<void>;
}

export interface StageLine {
  readonly id: string;
  readonly number: string;
  readonly sip: { readonly username: string; readonly password?: string; readonly domain: string };
}

export interface StageHome {
  readonly id: string;
  readonly name: string;
  readonly gateway: Gateway;
  /** The media engine of its gateway. */
  readonly engine: MediaEngine;
  readonly world: World;
  readonly address: string;
  readonly lines: StageLine[];
  /** A phone in the house, registered at the gateway. */
  phone(
    options?: Partial<Pick<PhoneOptions, 'manner' | 'answerAfter' | 'voice' | 'protocol'>> & {
      readonly kind?: 'phone' | 'appliance';
    },
  ): Promise<Phone>;
}

export class Stage implements AsyncDisposable {
  readonly ground: Ground;
  readonly homes: StageHome[] = [];
  readonly phones: Phone[] = [];
  cloud: Cloud;
  #engines: MediaEngine[] = [];
  #phoneCount = 0;

  private constructor(ground: Ground, cloud: Cloud) {
    this.ground = ground;
    this.cloud = cloud;
  }

  static async open(ground: Ground): Promise<Stage> {
    return new Stage(ground, await Stage.#start(ground));
  }

  static async #start(ground: Ground): Promise<Cloud> {
    const { world } = ground.host('cloud');
    const { pieces, settings } = await ground.settle(ground.cloud());
    return ground.settle(startCloud(world, settings, pieces));
  }

  /** Stops the cloud (cleanly) and starts it again on the same data. */
  async restartCloud(): Promise<void> {
    await this.ground.settle(this.cloud.stop());
    this.cloud = await Stage.#start(this.ground);
  }

  /** Calls a verb by its HTTP route as the operator; throws on a problem. */
  async api<V extends VerbName>(verb: V, request: VerbRequest<V>): Promise<VerbReply<V>> {
    const http = verbEntry(verb)?.http;
    if (http === undefined) throw new Error(`${verb} has no route`);
    const body: Record<string, unknown> = { ...(request as Record<string, unknown>) };
    const path = http.path.replace(/\{([^}]+)\}/g, (_whole, name: string) => {
      const value = String(body[name]);
      delete body[name];
      return value;
    });
    const isRead = http.method === 'GET' || http.method === 'DELETE';
    const query = new URLSearchParams(Object.entries(body).map(([name, value]) => [name, String(value)])).toString();
    const reply = await this.ground.settle(
      this.ground.request(
        this.cloud,
        http.method,
        isRead && query !== '' ? `${path}?${query}` : path,
        isRead ? undefined : body,
      ),
    );
    if (reply.status >= 400) throw new Error(`${verb} answered ${reply.status}: ${JSON.stringify(reply.body)}`);
    return reply.body as VerbReply<V>;
  }

  /** A home with its gateway paired; `listen` is the address for its phones, where that is not the gateway's first. */
  async home(name: string, profile: Profile = 'residential-gateway', listen?: string): Promise<StageHome> {
    const { id } = await this.api('home.create', { name });
    const { world, address } = this.ground.host(name);
    const engine = await this.ground.settle(this.ground.engine(world));
    this.#engines.push(engine);
    const settings = {
      state: this.ground.folder(name),
      cloudUrl: this.ground.url(this.cloud),
      profile,
      sip: { host: listen ?? address, port: 0 },
    };
    const gateway = await this.ground.settle(startGateway(world, settings, engine));
    await this.ground.until(() => gateway.status().pairing.code !== undefined, 15_000, `${name} to show a code`);
    await this.api('gateway.claim', { home: id, code: gateway.status().pairing.code ?? '' });
    await this.ground.until(() => gateway.status().pairing.at === 'paired', 20_000, `${name} to be paired`);
    const lines: StageLine[] = [];
    const home: StageHome = {
      id,
      name,
      gateway,
      engine,
      world,
      address,
      lines,
      phone: (options) => this.#phone(home, options ?? {}),
    };
    this.homes.push(home);
    return home;
  }

  /** A phone registered straight at the softswitch. */
  async directPhone(line: StageLine, options: Partial<PhoneOptions> = {}): Promise<Phone> {
    const { world, address } = this.ground.host(`direct${++this.#phoneCount}`);
    const server = this.cloud.config.bound.sipUdp ?? { host: '', port: 0 };
    return this.#register({ world, host: address, server, ...credentials(line), ...options });
  }

  async line(
    home: StageHome,
    options: { readonly name?: string; readonly kind?: 'phone' | 'appliance' } = {},
  ): Promise<StageLine> {
    const line = await this.api('line.create', { home: home.id, ...options });
    home.lines.push(line);
    return line;
  }

  /** Ends everything that was started, whatever has happened. */
  async [Symbol.asyncDispose](): Promise<void> {
    const { settle } = this.ground;
    for (const phone of this.phones) await settle(phone.close());
    for (const home of this.homes) await settle(home.gateway.stop());
    for (const engine of this.#engines) await settle(engine.close(true));
    await settle(this.cloud.stop());
    await this.ground.close();
  }

  async #phone(home: StageHome, { kind, ...options }: Parameters<StageHome['phone']>[0] & object): Promise<Phone> {
    const line = await this.line(home, {
      name: `${home.name} ${home.lines.length + 1}`,
      ...(kind === undefined ? {} : { kind }),
    });
    const { world, address } = this.ground.host(`${home.name}-phone${home.lines.length}`);
    const server = home.gateway.status().sip.udp;
    // The gateway learns of the line by its next document.
    await this.ground.pass(500);
    return this.#register({ world, host: address, server, ...credentials(line), ...options });
  }

  async #register(options: PhoneOptions): Promise<Phone> {
    const phone = await this.ground.settle(Phone.open(options));
    this.phones.push(phone);
    const status = await this.ground.settle(phone.register());
    if (status !== 200) throw new Error(`a phone could not register: ${status}`);
    await this.ground.pass(300);
    return phone;
  }
}

function credentials(line: StageLine) {
  return { domain: line.sip.domain, username: line.sip.username, password: line.sip.password ?? '' };
}
