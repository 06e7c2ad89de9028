/** The open API on a real socket with OAM&P behind it: for what needs a real client (OAuth 2, WebSocket, webhooks over TCP). */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ensureOperatorToken } from '#cloud/application-server/open-api/credentials.ts';
import { createOpenApi } from '#cloud/application-server/open-api/server.ts';
import { loadCredentials } from '#cloud/authority.ts';
import { createBus } from '#cloud/bus/in-process.ts';
import type { PartContext, RunningPart } from '#cloud/bus/part.ts';
import { oamp } from '#cloud/farm/oamp/server.ts';
import { openLocalStore } from '#cloud/store/local.ts';
import { hostWorld } from '#shared/host/world.ts';
import type { VerbName, VerbReply, VerbRequest } from '#shared/protocol/verbs/index.ts';
import { toAsk } from './fixture.ts';

export class RealApi {
  readonly folder = mkdtempSync(join(tmpdir(), 'hearthline-real-api-'));
  context!: PartContext;
  url = '';
  #parts: RunningPart[] = [];

  static async start(): Promise<RealApi> {
    const api = new RealApi();
    const world = hostWorld({ level: 'error' });
    const local = { host: '127.0.0.1', port: 0 };
    const addresses = { http: local, mqtt: local, sip: local, sips: local };
    const config = {
      data: api.folder,
      ...addresses,
      media: { host: '127.0.0.1', low: 0, high: 0 },
      publicHost: '127.0.0.1',
      domain: 'hearthline',
      ...(await loadCredentials(world, api.folder, ['127.0.0.1'])),
      bound: {},
    };
    api.context = { world, bus: createBus(world), store: openLocalStore(':memory:'), config };
    await ensureOperatorToken(api.context.store, world, 'op');
    const none = () => Promise.reject(new Error('no server'));
    api.#parts = [await oamp.start(api.context)];
    api.#parts.push(await createOpenApi({ farm: { list: () => [], stop: none, start: none } }).start(api.context));
    api.url = api.context.config.bound.http ?? '';
    return api;
  }

  async stop(): Promise<void> {
    for (const part of [...this.#parts].reverse()) await part.stop();
    await this.context.store.close();
    rmSync(this.folder, { recursive: true });
  }

  /** Calls a verb; the status and the parsed body. */
  async ask<V extends VerbName>(verb: V, request: VerbRequest<V>, token = 'op') {
    const { method = 'GET', url, body } = toAsk(verb, request);
    const reply = await fetch(`${this.url}${url}`, {
      method,
      headers: {
        authorization: `Bearer ${token}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await reply.text();
    return {
      status: reply.status,
      headers: reply.headers,
      body: (text === '' ? {} : JSON.parse(text)) as VerbReply<V>,
    };
  }

  async call<V extends VerbName>(verb: V, request: VerbRequest<V>, token?: string): Promise<VerbReply<V>> {
    const got = await this.ask(verb, request, token);
    if (got.status >= 300) throw new Error(`${verb}: ${got.status} ${JSON.stringify(got.body)}`);
    return got.body;
  }

  /** An account with these homes, signed in; gives its token. */
  async person(name: string, homes: readonly string[], role: 'subscriber' | 'developer' | 'technician' = 'subscriber') {
    const password = `${name} is a good password`;
    await this.call('account.create', { name, password, role, homes: [...homes] });
    return (await this.call('auth.sign-in', { name, password })).token;
  }
}
