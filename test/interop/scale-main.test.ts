/** The main process of two softswitch processes is killed: their calls go on, and the next main process goes on with both. */
import { readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { hostWorld } from '#shared/host/world.ts';
import { sine } from '#shared/rtp/measure.ts';
import { Phone } from '#simulator/phone.ts';
import { MortalCloud, pause } from './mortal-cloud.ts';

interface Line {
  readonly number: string;
  readonly sip: { readonly username: string; readonly password: string; readonly domain: string };
}

const world = hostWorld({ level: 'error' });
const cloud = new MortalCloud();
const phones: Phone[] = [];

beforeAll(() => cloud.start(undefined, ['--softswitches', '2']), 60_000);
afterAll(async () => {
  for (const phone of phones) await phone.close();
  await cloud.stop('SIGTERM');
  rmSync(cloud.folder, { recursive: true, force: true });
});

async function until(condition: () => boolean | Promise<boolean>, what: string): Promise<void> {
  for (const end = performance.now() + 20_000; performance.now() < end; await pause(30)) if (await condition()) return;
  throw new Error(`${what} did not come`);
}

async function post<T>(path: string, body: unknown): Promise<T> {
  const { status, body: made } = await cloud.ask<T>('POST', path, body, path + JSON.stringify(body));
  expect(status).toBe(201);
  return made;
}

async function phoneAt(process: number, home: string, name: string): Promise<{ phone: Phone; number: string }> {
  const { number, sip } = await post<Line>(`/v1/homes/${home}/lines`, { name });
  const [host = '', port = ''] = cloud.ready.softswitches?.[process]?.udp.split(':') ?? [];
  const server = { host, port: Number(port) };
  const phone = await Phone.open({ world, host: '127.0.0.1', server, ...sip, voice: sine(600, -10, 8000) });
  phones.push(phone);
  expect(await phone.register()).toBe(200);
  return { phone, number };
}

it('goes on with the calls and the processes of the one before', async () => {
  const { id } = await post<{ id: string }>('/v1/homes', { name: 'Elm' });
  const a = await phoneAt(0, id, 'A');
  const b = await phoneAt(0, id, 'B');
  const c = await phoneAt(1, id, 'C');
  const call = await a.phone.dial(b.number);
  await until(() => call.state === 'up', `the answer: ${call.status}`);
  const [other] = b.phone.calls;
  if (other === undefined) throw new Error('nobody was called');
  const before = cloud.ready.softswitches?.map(({ pid }) => pid);
  await cloud.stop('SIGKILL');
  call.hold(true);
  await until(() => other.held, 'the hold while nobody else is there');
  await cloud.start(undefined, ['--softswitches', '2']);
  expect(cloud.ready.softswitches?.map(({ pid }) => pid)).toEqual(before);
  call.hold(false);
  await until(() => !other.held, 'the end of the hold');
  other.hangup();
  await until(() => call.state === 'ended', 'the end');
  const records = async () => (await cloud.ask<{ items: { reason: string }[] }>('GET', '/v1/cdrs')).body.items;
  await until(async () => (await records()).length === 2, 'a record of each leg');
  expect((await records()).map(({ reason }) => reason)).toEqual(['hangup', 'hangup']);
  const next = await c.phone.dial(a.number);
  await until(() => next.state === 'up', `the next answer: ${next.status}`);
  next.hangup();
}, 60_000);

it('writes nothing that another user of the machine could read, even into a folder that everybody may', () => {
  const data = join(cloud.folder, 'data');
  const files = readdirSync(data, { recursive: true, encoding: 'utf8' });
  expect(files).toContain('hearthline.db');
  expect(files.filter((name) => (statSync(join(data, name)).mode & 0o077) !== 0)).toEqual([]);
});
