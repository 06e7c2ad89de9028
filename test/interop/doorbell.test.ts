/** The doorbell on real processes: published and installed by the command, fetched by a gateway, and pressed. */
import { execFile } from 'node:child_process';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { packProject } from '#cli/app-project.ts';
import { hostCrypto } from '#shared/host/crypto.ts';
import { rightsOf } from '#shared/protocol/applet-rights.ts';
import { type CloudProcess, processGround } from '#simulator/process-stage.ts';
import { Stage } from '#simulator/stage.ts';

const root = resolve(import.meta.dirname, '../..');
const ground = processGround({ log: () => undefined });
let stage: Stage<CloudProcess>;

beforeAll(async () => {
  stage = await Stage.open(ground);
}, 60_000);
afterAll(() => stage[Symbol.asyncDispose]());

/** Runs the command against the stage's cloud, beside this process, which is the house. */
async function hearthline(...words: string[]): Promise<string> {
  const { http, operatorToken } = stage.cloud.ready;
  const at = ['--cloud', http, '--token', operatorToken, '--json'];
  const env = { ...process.env, XDG_CONFIG_HOME: join(ground.folderOfAll, 'config') };
  return (await promisify(execFile)(join(root, 'bin/hearthline'), [...words, ...at], { env })).stdout;
}

it('rings a phone of the house after it was published, consented to and fetched', { timeout: 60_000 }, async () => {
  const folder = join(root, 'apps/doorbell');
  const made = await packProject(folder, await hostCrypto().createKey('Ed25519'));
  const consent = made.ok ? rightsOf(made.value.manifest).map(({ key }) => key) : [];
  const home = await stage.home('elm');
  const door = await home.phone({ kind: 'appliance' });
  const kitchen = await home.phone({ manner: 'answer', answerAfter: 1000 });
  expect(await hearthline('app', 'publish', folder)).toContain('"state":"published"');
  const tap = performance.now();
  const words = ['install', 'create', '--home', home.id, '--app', 'doorbell', '--consent', consent.join(',')];
  const { id } = JSON.parse(await hearthline(...words)) as { id: string };
  const applet = () => home.gateway.applets?.status().items.find(({ install }) => install === id);
  await ground.until(() => applet()?.state === 'running', 30_000, 'the applet to run');
  const ran = performance.now();
  const half = async () => (await stage.api('install.status', { install: id })).state;
  await ground.until(async () => (await half()) === 'running', 30_000, 'the cloud half to run');
  const press = performance.now();
  const call = await door.dial('*55');
  await ground.until(() => kitchen.calls.length === 1, 10_000, 'the kitchen to ring');
  console.info(`tap to run: ${Math.round(ran - tap)} ms; press to ring: ${Math.round(performance.now() - press)} ms`);
  await ground.until(() => kitchen.calls[0]?.state === 'up' && call.state === 'up', 10_000, 'the answer');
  door.hangup(call);
  await ground.until(() => kitchen.calls[0]?.state === 'ended', 10_000, 'the end');
});
