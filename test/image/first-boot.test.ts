/**
 * The image with nothing but one processor, power, a clock that is wrong and a card to a network without a way out: first boot to
 * "ready to pair", its own proof, and bundles that it will not have, each with its reason.
 */
import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { writeBundle } from '#images/raspberry-pi/bundle.ts';
import { portFaults, readOwnedPorts } from '#images/raspberry-pi/ports.ts';
import type { VerbReply } from '#shared/protocol/verbs/index.ts';
import { CLOCK, DISK_BYTES } from './house.ts';
import { Machine, overlay, packed } from './machine.ts';

const image = inject('image');
const folder = mkdtempSync(join(tmpdir(), 'hearthline-first-'));
const at = (name: string) => join(folder, name);
const MEGA = 1024 * 1024;
let machine: Machine;
let stick = '';

/** A bundle on the stick whose system nobody will start. */
function bundle(name: string, version: string, octets: number, board?: string): string {
  const path = at(`stick/${name}.raucb`);
  writeBundle(randomBytes(octets), version, image.authority, path, board);
  return path;
}

beforeAll(async () => {
  mkdirSync(at('stick'));
  const damaged = readFileSync(bundle('damaged', '1.1.0', 2 * MEGA));
  damaged[MEGA] = (damaged[MEGA] ?? 0) ^ 1;
  writeFileSync(at('stick/damaged.raucb'), damaged);
  bundle('other', '1.1.0', MEGA, 'hearthline-other');
  bundle('large', '1.1.0', 8 * MEGA);
  packed(at('stick'), at('stick.squashfs'));
  machine = await Machine.start({
    ...{ folder, uboot: image.uboot.qemu, clock: CLOCK, stick: at('stick.squashfs'), processors: 1 },
    disk: overlay(image.disk, at('disk.qcow2'), DISK_BYTES),
    network: ['-netdev', 'user,id=wan', '-device', 'virtio-net-pci,netdev=wan,romfile='],
  });
});
afterAll(async () => {
  await machine?.cut();
  rmSync(folder, { recursive: true, force: true });
});

const state = async () => (await machine.run('/usr/lib/hearthline/slot-state show')).out.replace(/^sequence=\d+ /, '');

/** How the installation of a bundle from the stick ended, as the agent has written it down. */
async function ended(name: string): Promise<VerbReply<'gateway.updates'>['items'][number] | undefined> {
  const begun = await machine.hearthline(`ota install ${stick}/${name}.raucb --timeout 120`);
  const job = /begun as (\S+);/.exec(begun)?.[1];
  const over = `grep -q '"at":"idle".*"history":.*"${job}"' /data/hearthline/update.json`;
  await machine.run(`n=0; until ${over} || [ $n = 400 ]; do n=$((n + 1)); sleep 1; done`, 900_000);
  const { out } = await machine.run('cat /data/hearthline/update.json');
  const { history } = JSON.parse(out) as { history: VerbReply<'gateway.updates'>['items'] };
  return history.find((one) => one.job === job);
}

test('boots for the first time to "ready to pair", with no internet, from a clock that is wrong', async () => {
  await machine.line(/slot A, attempt 1, 2 left/);
  await machine.line(/making the data partition/);
  await machine.line(/ready to pair/, 900_000);
  expect((await machine.run('cat /etc/hearthline/image.json')).out).toContain('"version":"1.0.0"');
  expect(Number((await machine.run('date +%Y')).out)).toBeGreaterThanOrEqual(2026);
  expect(machine.console.text).not.toMatch(/Kernel panic|damaged/);
});

test('has exactly the ports open that have an owner', async () => {
  const list = readFileSync(join(import.meta.dirname, '../../images/raspberry-pi/ports.txt'), 'utf8');
  expect(portFaults((await machine.run('ss -lntup')).out, readOwnedPorts(list), 'client')).toEqual([]);
});

test('proves itself', async () => {
  const told = await machine.run(
    `n=0; until [ -s /data/update-root/floor ] || [ $n = 400 ]; do n=$((n + 1)); sleep 2; done`,
    900_000,
  );
  expect(told.code).toBe(0);
  expect(await state()).toBe('order=A B A=3 B=0');
  expect((await machine.run('cat /data/update-root/floor')).out).toBe('1.0.0');
});

// An older version is refused in `house.test.ts`, where the cloud hears of it.
test('refuses another board and one wrong bit in the content, each with its reason, and stays as it is', async () => {
  stick = await machine.plug();
  expect(await ended('other')).toMatchObject({ state: 'failed', reason: 'update_wrong_board' });
  expect(await ended('damaged')).toMatchObject({ state: 'failed', reason: 'update_damaged' });
  expect(await state()).toBe('order=A B A=3 B=0');
});

test('says that the disk is full, keeps that in mind, and leaves nothing half of the bundle there', async () => {
  const filled = await machine.run(
    'set -- $(stat -f -c "%a %S" /data); dd if=/dev/zero of=/data/fill bs=1M count=$(($1 * $2 / 1048576 - 4)) 2> /dev/null; sync',
  );
  expect(filled.code).toBe(0);
  expect(await ended('large')).toMatchObject({ state: 'failed', reason: 'update_no_room' });
  expect((await machine.run('ls /data/update')).out).toBe('');
  await machine.run('rm /data/fill');
  expect(await state()).toBe('order=A B A=3 B=0');
});
