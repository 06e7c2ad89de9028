/** A cloud in memory on a virtual world, asked through the open API without a socket. */
import type { FastifyInstance } from 'fastify';
import { createApp } from '#cloud/application-server/open-api/adapter-fastify.ts';
import type { FarmControl } from '#cloud/application-server/open-api/farm.ts';
import type { Part } from '#cloud/bus/part.ts';
import { threadEngine } from '#cloud/farm/media/server.ts';
import { type Cloud, type CloudSettings, startCloud } from '#cloud/main.ts';
import { openLocalStore } from '#cloud/store/local.ts';
import type { Store } from '#cloud/store/store.ts';
import { utf8 } from '#shared/kernel/bytes.ts';
import type { Clock } from '#shared/kernel/world.ts';
import { type Fault, faults } from '#shared/protocol/fault.ts';
import type { VerbName, VerbReply, VerbRequest } from '#shared/protocol/verbs/index.ts';
import { verbEntry } from '#shared/protocol/verbs/index.ts';
import { Phone, type PhoneOptions } from '#simulator/phone.ts';
import { VirtualWorld } from '#simulator/world.ts';

export const OPERATOR_TOKEN = 'operator-token-of-the-test';

export interface Ask {
  readonly method?: 'GET' | 'POST' | 'PUT' | 'DELETE' | 'PATCH' | 'HEAD' | 'OPTIONS';
  readonly url: string;
  readonly token?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** An object is sent as JSON, a string as it stands. */
  readonly body?: object | string;
  /** Source address. */
  readonly from?: string;
}

export interface Got {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | number | undefined>>;
  readonly text: string;
  /** Parsed, where it is JSON. */
  readonly body: Record<string, unknown>;
}

export class TestCloud {
  readonly world = new VirtualWorld({ seed: 7 });
  readonly store = openLocalStore(':memory:');
  cloud!: Cloud;
  app!: FastifyInstance;
  #phones = 0;

  /** Starts the whole cloud of the composition root; its open API answers inside the process. */
  static async start(): Promise<TestCloud> {
    const test = new TestCloud();
    const world = test.world.host('cloud', [CLOUD]);
    const part = (farm: FarmControl): Part => ({
      name: 'application-server',
      async start(context) {
        const app = await createApp(context, farm);
        test.app = app;
        return { health: () => ({ state: 'running', load: 0, legs: 0 }), stop: () => Promise.resolve(app.close()) };
      },
    });
    const pieces = { store: withSync(test.store, world.clock), engineFor: threadEngine, openApi: part };
    await world.disk.write('/data/operator-token', utf8(OPERATOR_TOKEN));
    test.cloud = await test.world.settle(startCloud(world, settings, pieces));
    return test;
  }

  async stop(): Promise<void> {
    await this.world.settle(this.cloud.stop());
    this.world[Symbol.dispose]();
  }

  /** A phone of a line, registered straight at the softswitch; it answers after half a second. */
  async phone(line: VerbReply<'line.create'>, more: Partial<PhoneOptions> = {}): Promise<Phone> {
    const host = `10.0.1.${++this.#phones}`;
    const phone = await this.world.settle(
      Phone.open({
        world: this.world.host(`phone-${host}`, [host]),
        host,
        server: { host: CLOUD, port: this.cloud.config.bound.sipUdp?.port ?? 0 },
        domain: line.sip.domain,
        username: line.sip.username,
        password: line.sip.password ?? '',
        answerAfter: 500,
        ...more,
      }),
    );
    const status = await this.world.settle(phone.register());
    if (status !== 200) throw new Error(`the phone could not register: ${status}`);
    return phone;
  }

  /** Sends a request; the operator's token unless told otherwise (an empty token sends none). */
  async ask({ method = 'GET', url, token = OPERATOR_TOKEN, headers = {}, body, from }: Ask): Promise<Got> {
    const json = typeof body === 'object';
    const reply = await this.world.settle(
      Promise.resolve(
        this.app.inject({
          method,
          url,
          ...(from === undefined ? {} : { remoteAddress: from }),
          headers: {
            ...(token === '' ? {} : { authorization: `Bearer ${token}` }),
            ...(json ? { 'content-type': 'application/json' } : {}),
            ...headers,
          },
          ...(body === undefined ? {} : { payload: json ? JSON.stringify(body) : body }),
        }),
      ),
    );
    const parsed = /json/.test(String(reply.headers['content-type'])) && reply.body !== '' ? reply.json() : {};
    return { status: reply.statusCode, headers: reply.headers, text: reply.body, body: parsed };
  }

  /** Calls a verb that must succeed. */
  async call<V extends VerbName>(verb: V, request: VerbRequest<V>, token?: string): Promise<VerbReply<V>> {
    const got = await this.ask({ ...toAsk(verb, request), ...(token === undefined ? {} : { token }) });
    if (got.status >= 300) throw new Error(`${verb}: ${got.status} ${got.text}`);
    return got.body as VerbReply<V>;
  }

  /** An account that sees these homes, signed in; gives its token. */
  async subscriber(
    name: string,
    homes: readonly string[],
    role: 'subscriber' | 'technician' | 'developer' = 'subscriber',
  ) {
    const password = `${name} is a good password`;
    await this.call('account.create', { name, password, role, homes: [...homes] });
    return (await this.call('auth.sign-in', { name, password })).token;
  }
}

/** A commit takes the time of a disk's sync, so that two requests can meet. */
function withSync(store: Store, clock: Clock): Store {
  const sync = () => new Promise<void>((resolve) => void clock.at(clock.mono() + 2, resolve));
  return {
    all: (text, params) => store.all(text, params),
    one: (text, params) => store.one(text, params),
    commit: (statements) => sync().then(() => store.commit(statements)),
    close: () => store.close(),
  };
}

/** The request that a verb's entry derives from its fields. */
export function toAsk<V extends VerbName>(verb: V, request: VerbRequest<V>): Pick<Ask, 'url'> & Ask {
  const http = verbEntry(verb)?.http;
  if (http === undefined) throw new Error(`${verb} has no HTTP path`);
  const fields: Record<string, unknown> = { ...request };
  const path = http.path.replaceAll(/\{(\w+)\}/g, (_all, name: string) => {
    const value = encodeURIComponent(String(fields[name]));
    delete fields[name];
    return value;
  });
  if (http.method === 'POST' || http.method === 'PUT') return { method: http.method, url: path, body: fields };
  const query = new URLSearchParams(Object.entries(fields).map(([name, value]) => [name, String(value)])).toString();
  return { method: http.method, url: query === '' ? path : `${path}?${query}` };
}

/** What is wrong with a reply that should be a problem of this code; undefined where it is one. */
export function notProblem(got: Got, code?: Fault['code']): string | undefined {
  if (!String(got.headers['content-type']).startsWith('application/problem+json'))
    return `type ${got.headers['content-type']}`;
  const found = String(got.body.code);
  if (!Object.hasOwn(faults, found)) return `unknown code ${found}`;
  if (got.body.status !== got.status) return `status ${got.status} but ${got.body.status} in the body`;
  if (faults[found as Fault['code']].http !== got.status) return `${found} with status ${got.status}`;
  if (got.body.type !== `/errors/${found}`) return `type ${got.body.type}`;
  if (typeof got.body.title !== 'string' || typeof got.body.next !== 'string') return 'no title or next';
  return code === undefined || code === found ? undefined : `${found} in place of ${code}: ${got.text}`;
}

const CLOUD = '10.0.0.1';
const any = { host: CLOUD, port: 0 };
const settings: CloudSettings = {
  data: '/data',
  http: any,
  mqtt: any,
  sip: any,
  sips: any,
  media: { host: CLOUD, low: 20_000, high: 20_999 },
};
