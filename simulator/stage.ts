/**
 * A stage for scenarios: an operator's cloud and homes with real gateway code and simulated phones, on either world. A scenario
 * is written once; `virtualStage` runs it in virtual time with a trace hash, `realStage` on loopback sockets in real time, and
 * the simulator's command against a cloud process of its own.
 */
import type { Cloud } from '#cloud/main.ts';
import type { Profile } from '#device/gateway.ts';
import { type VerbName, type VerbReply, type VerbRequest, verbEntry } from '#shared/protocol/verbs/index.ts';
import type { VirtualBoard } from './board.ts';
import type { Ground, StageLine } from './ground.ts';
import { Home, type HomePhoneOptions, type StageHome } from './home.ts';
import { Phone, type PhoneOptions } from './phone.ts';

export type { StageLine } from './ground.ts';
export type { StageHome } from './home.ts';

/** A stage whatever its cloud is made of. */
export type AnyStage = Stage<unknown>;

export class Stage<C = Cloud> implements AsyncDisposable {
  readonly ground: Ground<C>;
  readonly homes: StageHome[] = [];
  readonly phones: Phone[] = [];
  cloud: C;
  /** Called with every duration worth knowing, ms. */
  onMeasure: (name: 'pairing', ms: number) => void = () => {};
  /** Every home that was switched on, paired or not, in that order. */
  readonly started: StageHome[] = [];
  #phoneCount = 0;
  #cloudUp = true;

  private constructor(ground: Ground<C>, cloud: C) {
    this.ground = ground;
    this.cloud = cloud;
  }

  static async open<C>(ground: Ground<C>): Promise<Stage<C>> {
    return new Stage(ground, await ground.settle(ground.start()));
  }

  /** Stops the cloud (cleanly) and starts it again on the same data. */
  async restartCloud(): Promise<void> {
    await this.ground.settle(this.ground.stop(this.cloud));
    await this.startCloud();
  }

  /** Ends the cloud in the middle of whatever it does. */
  async killCloud(): Promise<void> {
    if (!this.#cloudUp) return;
    this.#cloudUp = false;
    await this.ground.settle(this.ground.kill(this.cloud));
  }

  /** Starts the cloud again on what its disk holds. */
  async startCloud(): Promise<void> {
    this.cloud = await this.ground.settle(this.ground.start());
    this.#cloudUp = true;
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
  async home(
    name: string,
    profile: Profile = 'residential-gateway',
    listen?: string,
    board?: VirtualBoard,
  ): Promise<StageHome> {
    const { ground } = this;
    const options = {
      name,
      profile,
      cloudUrl: ground.url(this.cloud),
      ...(listen === undefined ? {} : { listen }),
      ...(board === undefined ? {} : { board }),
    };
    const home = new Home(ground, options, (one, phone) => this.#phone(one, phone));
    home.id = (await this.api('home.create', { name })).id;
    this.started.push(home);
    await home.powerOn();
    await ground.until(() => home.gateway.status().pairing.code !== undefined, 15_000, `${name} to show a code`);
    const since = ground.clock.mono();
    await this.api('gateway.claim', { home: home.id, code: home.gateway.status().pairing.code ?? '' });
    await ground.until(() => home.gateway.status().pairing.at === 'paired', 20_000, `${name} to be paired`);
    this.onMeasure('pairing', ground.clock.mono() - since);
    this.homes.push(home);
    return home;
  }

  /** A phone registered straight at the softswitch. */
  async directPhone(line: StageLine, options: Partial<PhoneOptions> = {}): Promise<Phone> {
    const { world, address } = this.ground.host(`direct${++this.#phoneCount}`);
    const server = this.ground.sip(this.cloud);
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
    for (const home of this.started) await home.stop();
    if (this.#cloudUp) await settle(this.ground.stop(this.cloud));
    await this.ground.close();
  }

  async #phone(home: StageHome, { kind, ...options }: HomePhoneOptions): Promise<Phone> {
    const line = await this.line(home, {
      name: `${home.name} ${home.lines.length + 1}`,
      ...(kind === undefined ? {} : { kind }),
    });
    const { world, address } = this.ground.host(`${home.name}-phone${home.lines.length}`, home.name);
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
