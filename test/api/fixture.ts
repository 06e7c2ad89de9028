/** A cloud in memory on a virtual world, asked through the open API without a socket. */
import type { FastifyInstance } from 'fastify';
import { createApp } from '#cloud/application-server/open-api/adapter-fastify.ts';
import { ensureOperatorToken } from '#cloud/application-server/open-api/credentials.ts';
import type { FarmControl } from '#cloud/application-server/open-api/farm.ts';
import type { CloudConfig } from '#cloud/bus/config.ts';
import { createBus, type InProcessBus } from '#cloud/bus/in-process.ts';
import type { Part, PartContext } from '#cloud/bus/part.ts';
import { openLocalStore } from '#cloud/store/local.ts';
import { Supervisor } from '#cloud/supervisor.ts';
import { type Fault, faults } from '#shared/protocol/fault.ts';
import type { VerbName, VerbReply, VerbRequest } from '#shared/protocol/verbs/index.ts';
import { verbEntry } from '#shared/protocol/verbs/index.ts';
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
  readonly bus: InProcessBus;
  readonly context: PartContext;
  readonly farm: FarmControl;
  readonly #supervisor: Supervisor;
  app!: FastifyInstance;

  private constructor(parts: readonly Part[], config: Partial<CloudConfig>) {
    const world = this.world.host('cloud', ['10.0.0.1']);
    this.bus = createBus(world);
    this.context = { world, bus: this.bus, store: this.store, config: { ...plainConfig, bound: {}, ...config } };
    this.#supervisor = new Supervisor(this.context, parts);
    this.farm = {
      list: () => this.#supervisor.list(),
      stop: (name) => this.#supervisor.stopServer(name),
      start: (name) => this.#supervisor.startServer(name),
    };
  }

  static async start(parts: readonly Part[], config: Partial<CloudConfig> = {}): Promise<TestCloud> {
    const cloud = new TestCloud(parts, config);
    const begin = async () => {
      await ensureOperatorToken(cloud.store, cloud.context.world, OPERATOR_TOKEN);
      await cloud.#supervisor.start(parts);
      cloud.app = await createApp(cloud.context, cloud.farm);
    };
    await cloud.world.settle(begin());
    return cloud;
  }

  async stop(): Promise<void> {
    await this.world.settle(Promise.resolve(this.app.close()).then(() => this.#supervisor.stop()));
    await this.store.close();
    this.world[Symbol.dispose]();
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
  async subscriber(name: string, homes: readonly string[], role: 'subscriber' | 'technician' | 'developer' = 'subscriber') {
    const password = `${name} is a good password`;
    await this.call('account.create', { name, password, role, homes: [...homes] });
    return (await this.call('auth.sign-in', { name, password })).token;
  }
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
  if (!String(got.headers['content-type']).startsWith('application/problem+json')) return `type ${got.headers['content-type']}`;
  const found = String(got.body.code);
  if (!Object.hasOwn(faults, found)) return `unknown code ${found}`;
  if (got.body.status !== got.status) return `status ${got.status} but ${got.body.status} in the body`;
  if (faults[found as Fault['code']].http !== got.status) return `${found} with status ${got.status}`;
  if (got.body.type !== `/errors/${found}`) return `type ${got.body.type}`;
  if (typeof got.body.title !== 'string' || typeof got.body.next !== 'string') return 'no title or next';
  return code === undefined || code === found ? undefined : `${found} in place of ${code}: ${got.text}`;
}

const here = { host: '10.0.0.1', port: 0 };
const plainConfig: Omit<CloudConfig, 'bound'> = {
  data: '/data',
  http: here,
  mqtt: here,
  sip: here,
  sips: here,
  media: { host: '10.0.0.1', low: 20_000, high: 20_999 },
  publicHost: '10.0.0.1',
  domain: 'hearthline',
  authority: { certificate: 'authority', key: '', keyHash: '' },
  server: { certificate: '', key: '' },
};
