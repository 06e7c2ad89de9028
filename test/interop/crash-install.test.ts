/**
 * The cloud dies while an application is published, installed, used, updated and removed: at the crash points of that way, and at
 * random instants. Whoever asked asks again with the same key, as clients do; in the end everything has happened once.
 */
import { rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { packProject } from '#cli/app-project.ts';
import { hostCrypto } from '#shared/host/crypto.ts';
import type { KeyPair } from '#shared/kernel/world.ts';
import type { AppPackage } from '#shared/protocol/applet-manifest.ts';
import { makePackage } from '#shared/protocol/applet-package.ts';
import { rightsOf } from '#shared/protocol/applet-rights.ts';
import { Seeded } from '#simulator/random.ts';
import { isLong } from '../peers.ts';
import { seed } from '../support/seed.ts';
import { pointAfter } from './crash-cases.ts';
import { MortalCloud, pause } from './mortal-cloud.ts';

const KILLS = isLong ? 200 : 10;
/** More crash points than the way has; the first that is not reached ends the row. */
const MOST_POINTS = 60;
/** Milliseconds that a signal may take to reach the store's writer. */
const SIGNAL = 50;
const root = resolve(import.meta.dirname, '../..');
const project = join(root, 'test/scenario/service-creation');

/** A turn and the two versions that it publishes. */
type Way = [number, [AppPackage, AppPackage]];

describe(`kill -9 while an application is published, installed, updated and removed (HEARTHLINE_SEED=${seed})`, {
  timeout: 600_000,
}, () => {
  const random = new Seeded(seed);
  const cloud = new MortalCloud();
  let key: KeyPair;
  let pack: AppPackage;
  let home: string;
  let turns = 0;
  let cutOff: Way | undefined;

  beforeAll(async () => {
    key = await hostCrypto().createKey('Ed25519');
    const packed = await packProject(project, key);
    if (!packed.ok) throw new Error(packed.fault);
    pack = packed.value;
    await cloud.start();
    home = (await cloud.ask<{ id: string }>('POST', '/v1/homes', { name: 'elm' }, 'home')).body.id;
    await cloud.stop('SIGTERM');
  }, 60_000);
  afterAll(async () => {
    await cloud.stop('SIGKILL');
    rmSync(cloud.folder, { recursive: true, force: true });
  });

  /** Two versions of the same bundles. */
  async function packs(turn: number): Promise<[AppPackage, AppPackage]> {
    const make = (version: string) => makePackage({ ...pack.manifest, version }, pack.bundles, key, hostCrypto());
    return [await make(`1.${turn}.0`), await make(`1.${turn}.1`)];
  }

  /** Starts the cloud; the way that its last death cut off is gone again, whole. */
  async function revived(crashAt?: number): Promise<void> {
    await cloud.start(crashAt);
    if (cutOff !== undefined) await way(...cutOff);
    cutOff = undefined;
  }

  /** The whole way; every request must succeed. Each has a key, so that a repetition is none. */
  async function way(turn: number, [first, second]: [AppPackage, AppPackage]): Promise<void> {
    const step = async <T>(name: string, path: string, body: unknown): Promise<T> => {
      const { status, body: reply } = await cloud.ask<T>('POST', path, body, `${turn}-${name}`);
      expect([name, status < 300 ? 'ok' : JSON.stringify(reply)]).toEqual([name, 'ok']);
      return reply;
    };
    const consent = rightsOf(first.manifest).map((right) => right.key);
    const version = first.manifest.version;
    await step('publish', '/v1/apps', { package: first });
    const installs = `/v1/homes/${home}/installs`;
    const { id } = await step<{ id: string }>('install', installs, { app: 'lamp-post', version, consent });
    const contact = { name: `Ada ${turn}`, party: '+15550100042' };
    await step('call', `/v1/homes/${home}/services/address-book`, { method: 'put', input: contact });
    await step('publish-next', '/v1/apps', { package: second });
    await step('update', `/v1/installs/${id}/update`, { version: second.manifest.version, consent });
    const gone = await cloud.ask('DELETE', `/v1/installs/${id}`);
    expect([204, 404]).toContain(gone.status);
  }

  it('at its crash points', async () => {
    let point = 1;
    for (; point < MOST_POINTS; point = pointAfter(point)) {
      await revived(point);
      const next: Way = [++turns, await packs(turns)];
      cloud.arm();
      await pause(SIGNAL);
      const through = await way(...next).then(
        () => true,
        () => false,
      );
      if (through) break;
      cutOff = next;
      for (let i = 0; i < 200 && !cloud.isDead; i++) await pause(20);
      expect(cloud.isDead).toBe(true);
    }
    console.info(`outlived when publishing, installing, updating and removing: crash point ${point}`);
    expect(point).toBeGreaterThan(6);
    expect(point).toBeLessThan(MOST_POINTS);
  });

  it(`at ${KILLS} random instants`, async () => {
    for (let i = 0; i < KILLS; i++) {
      await revived();
      const next: Way = [++turns, await packs(turns)];
      const killing = pause(random.below(400)).then(() => cloud.stop('SIGKILL'));
      await way(...next).catch(() => undefined);
      await killing;
      cutOff = next;
    }
    await revived();
    await cloud.stop('SIGTERM');
  });

  it('after all of these: every version and every use once, nothing of an install is left, the document is empty', () => {
    const db = new DatabaseSync(join(cloud.folder, 'data', 'hearthline.db'), { readOnly: true });
    const one = (sql: string) => Object.values(db.prepare(sql).get() ?? {})[0];
    const count = (table: string, where = '1 = 1') => one(`SELECT COUNT(*) FROM ${table} WHERE ${where}`);
    expect(count('app_version', "state = 'published'")).toBe(2 * turns);
    expect(count('app_version')).toBe(2 * turns);
    for (const table of [
      'install',
      'install_cursor',
      'install_storage',
      'install_timer',
      'install_inbox',
      'applet_state',
    ])
      expect([table, count(table)]).toEqual([table, 0]);
    expect(count('service_entry', "service = 'address-book'")).toBe(turns);
    for (const what of ['installed', 'updated', 'removed'])
      expect([what, count('event', `type = 'home.install.v1.${what}'`)]).toEqual([what, turns]);
    expect(JSON.parse(String(one("SELECT body FROM desired WHERE doc = 'applets'")))).toMatchObject({ installs: [] });
    db.close();
  });
});
