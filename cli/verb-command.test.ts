/** What a command's flags become in the body that the cloud gets. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { readConfig } from '#shared/host/config.ts';
import { verbCommands } from './verb-command.ts';

let server: Server;
let asked: { method?: string | undefined; path?: string | undefined; body: unknown };
beforeEach(async () => {
  server = createServer((request, response) => {
    let text = '';
    request.on('data', (data) => {
      text += data;
    });
    request.on('end', () => {
      asked = { method: request.method, path: request.url, body: text === '' ? undefined : JSON.parse(text) };
      response.setHeader('content-type', 'application/json').end('{}');
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});
afterEach(() => new Promise((resolve) => server.close(resolve)));

it.each<[string, Record<string, string>, string, unknown]>([
  [
    'rollout create',
    { release: 'rel_1', stages: '1,10,100', errorRate: '0.2', homes: 'home_1,home_2' },
    'POST /v1/rollouts',
    { release: 'rel_1', stages: [1, 10, 100], errorRate: 0.2, homes: ['home_1', 'home_2'] },
  ],
  [
    'trunk set',
    { trunk: 'trk_1', name: 'A', host: 'a.example', mode: 'address', inRules: '[{"prefix":"0","replace":"+1"}]' },
    'PUT /v1/trunks/trk_1',
    { name: 'A', host: 'a.example', mode: 'address', inRules: [{ prefix: '0', replace: '+1' }] },
  ],
  [
    'trunk set',
    { trunk: 'trk_1', name: 'A', host: 'a.example', mode: 'address', addresses: '192.0.2.1,192.0.2.2' },
    'PUT /v1/trunks/trk_1',
    { name: 'A', host: 'a.example', mode: 'address', addresses: ['192.0.2.1', '192.0.2.2'] },
  ],
  ['rollout create', { release: 'rel_1', stages: '100' }, 'POST /v1/rollouts', { release: 'rel_1', stages: [100] }],
  ['rollout show', { rollout: 'rol_1' }, 'GET /v1/rollouts/rol_1', undefined],
])('%s %o', async (words, values, to, body) => {
  const cloud = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const io = { out: () => {}, error: () => {} };
  const code = await verbCommands()
    .get(words)
    ?.run({ values: { ...values, cloud, token: 't' }, words: [] } as never, io as never);
  expect(code).toBe(0);
  expect([`${asked.method} ${asked.path}`, asked.body]).toEqual([to, body]);
});

it('what the environment of another command says is not a field of this one', () => {
  const { options } = verbCommands().get('webhook update') ?? { options: {} };
  const argv = ['--webhook', 'wh_1'];
  const read = readConfig(argv, options, { HEARTHLINE_TOKEN: 't', HEARTHLINE_STATE: '/var/lib/hearthline' });
  expect(read.ok && read.value.values.state).toBeUndefined();
});

it.each<[string, string, Record<string, string>]>([
  ['rollout show', 'rol_1', { rollout: 'rol_1' }],
  ['rollout show', '--rollout rol_1', { rollout: 'rol_1' }],
  ['rollout show', '--json rol_1', { rollout: 'rol_1', json: 'true' }],
  ['rollout create', '--release rel_1 --stages 100 --error-rate 0.1', { errorRate: '0.1' }],
  ['rollout create', '--release rel_1 --stages 100 --error-rate=0.1', { errorRate: '0.1' }],
  ['leg remove', 'ses_1 leg_1', { session: 'ses_1', leg: 'leg_1' }],
  ['leg remove', '--session ses_1 leg_1', { session: 'ses_1', leg: 'leg_1' }],
  ['leg remove', 'leg_1 --session=ses_1', { session: 'ses_1', leg: 'leg_1' }],
])('%s %s: what the path names needs no flag', (words, line, values) => {
  const command = verbCommands().get(words);
  const argv = command?.flags?.(line.split(' ')) ?? [];
  const read = readConfig(argv, command?.options ?? {}, { HEARTHLINE_TOKEN: 't' });
  expect(read.ok && read.value).toMatchObject({ values, words: [] });
});
