/**
 * The image as the gateway of a house, from its first boot to its third system: paired by a claim on its boot partition with a cloud on
 * the host; a phone that gets its address, its server and a public network from it, and calls one outside with sound both ways; a good
 * update from a stick, a bad one from a rollout, and the way back with its reason. Power cuts out of the record of its writes follow.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { portFaults, readOwnedPorts } from '#images/raspberry-pi/ports.ts';
import type { VerbReply } from '#shared/protocol/verbs/index.ts';
import { levelOf } from '#shared/rtp/measure.ts';
import { seed } from '#test/support/seed.ts';
import { Baresip } from '../interop/baresip.ts';
import { hasNamespaces, hasProgram, isLong } from '../peers.ts';
import { House, WAN } from './house.ts';
import { Judge } from './judge.ts';
import { numbers } from './power-cut.ts';

const TONES = { inside: 443, outside: 617 };
const PREFIX = '2001:db8:77:';
/** Samples of 20 ms. */
const FRAME = 160;

interface Line {
  readonly number: string;
  readonly sip: { readonly username: string; readonly password: string };
}

const pause = (ms: number) => new Promise((resume) => setTimeout(resume, ms));
/** Share of the 20 ms pieces of a recording in which a tone is heard. */
function heardShare(sound: Int16Array, tone: number): number {
  const pieces = Array.from({ length: Math.floor(sound.length / FRAME) }, (_, index) =>
    sound.subarray(index * FRAME, (index + 1) * FRAME),
  );
  return pieces.filter((piece) => levelOf(piece, tone) > -27).length / Math.max(1, pieces.length);
}

const here = hasNamespaces() && hasProgram('baresip') && hasProgram('busybox');
const image = inject('image');
let last = performance.now();
/** Prints how long a step of the life took: figures of an emulated gateway on this machine. */
function took(step: string): void {
  const now = performance.now();
  console.info(`${step}: ${((now - last) / 1000).toFixed(0)} s`);
  last = now;
}
const house = new House();
const { ns, taps } = house;
/** Power cuts: so many, so many of their disks booted; the first of both while the bad update starts and starts again. */
const points = isLong ? 1000 : 220;
const boots = 6;
const EARLY = { points: Math.floor((2 * points) / 3), boots: 4 };
const judge = new Judge(house, image, numbers(seed));
let early = Promise.resolve();
/** Writes of the gateway until its good update was proved. */
let told = 0;
let gateway = '';
const state = async () =>
  (await house.machine.run('/usr/lib/hearthline/slot-state show')).out.replace(/^sequence=\d+ /, '');
type Report = VerbReply<'gateway.updates'>['items'][number];
/** The report on the newest update that the cloud has, once it is over. */
const outcome = (version: string) =>
  house.until(
    async () => {
      const { items } = await house.cli<{ items: Report[] }>('gateway', 'updates', '--gateway', gateway);
      return items.find((one) => one.version === version && ['good', 'back', 'failed'].includes(one.state));
    },
    600_000,
    `a report on ${version}`,
  );

beforeAll(async () => {
  if (here) await house.open(image);
});
afterAll(async () => {
  await judge.end();
  await house[Symbol.asyncDispose]();
});

describe.skipIf(!here)('a house behind the image', () => {
  test('pairs by the claim that stands on its boot partition, from a clock that is wrong', async () => {
    await house.machine.line(/stage 9 of 9/, 600_000);
    took('build of two updates, and from power to service');
    const { items } = await house.cli<{ items: { id: string }[] }>('gateway', 'list', '--home', house.home);
    gateway = items[0]?.id ?? '';
    expect(items).toEqual([expect.objectContaining({ state: 'paired' })]);
    expect((await house.machine.run('cat /etc/hearthline/image.json')).out).toContain('"version":"1.0.0"');
  });

  test('gives a phone in the house an address, and names its SIP server (RFC 3361)', async () => {
    const script = house.at('lease.sh');
    writeFileSync(
      script,
      '#!/bin/sh\n[ "$1" = bound ] && ip address add "$ip/24" dev "$interface" && ip route add default via "$router" && echo "server $sipsrv"\nexit 0\n',
      { mode: 0o755 },
    );
    const ask = ['udhcpc', '-i', taps.lan, '-n', '-q', '-t', '30', '-T', '2', '-O', 'sipsrv', '-s', script];
    expect(await ns.meanwhile('kitchen', 'busybox', ...ask)).toMatch(/^server 192\.168\.77\.1$/m);
    expect(ns.within('kitchen', 'ip', 'address', 'show', 'dev', taps.lan)).toMatch(/inet 192\.168\.77\.\d+\/24/);
  });

  test('asks the provider for a network, hands a part of it to the house, and lets nothing in by it (RFC 8415)', async () => {
    const provider = ns.start('cloud', 'bin/node', ['test/image/delegation.ts', 'wan', `${PREFIX}:`]);
    let said = '';
    provider.stdout?.on('data', (data) => {
      said += data;
    });
    const router = await house.until(
      async () => /delegated (\S+)%/.exec(said)?.[1],
      120_000,
      'a network to be asked for',
    );
    ns.within('cloud', 'ip', '-6', 'address', 'add', '2001:db8:ffff::1/128', 'dev', 'wan', 'nodad');
    ns.within('cloud', 'ip', '-6', 'route', 'add', `${PREFIX}:/56`, 'via', router, 'dev', 'wan');
    const indoors = await house.until(
      async () =>
        new RegExp(`inet6 (${PREFIX}[0-9a-f:]+)/64 scope global (?!tentative)`).exec(
          await ns.meanwhile('kitchen', 'ip', '-6', 'address', 'show', 'dev', taps.lan),
        )?.[1],
      120_000,
      'an address of that network in the kitchen',
    );
    const pings = (host: string, address: string) =>
      ns.meanwhile(host, 'busybox', 'ping6', '-c', '3', '-W', '3', address).then(
        () => true,
        () => false,
      );
    expect(await pings('kitchen', '2001:db8:ffff::1')).toBe(true);
    expect(await pings('cloud', indoors)).toBe(false);
  });

  test('has exactly the ports open that a router has', async () => {
    const list = readFileSync(join(import.meta.dirname, '../../images/raspberry-pi/ports.txt'), 'utf8');
    expect(portFaults((await house.machine.run('ss -lntup')).out, readOwnedPorts(list), 'router')).toEqual([]);
  });

  test('carries the call of a phone in the house to one outside with the right sound both ways, at most a fifth lost', async () => {
    const line = (name: string) => house.cli<Line>('line', 'create', '--home', house.home, '--name', name);
    const [indoors, outdoors] = [await line('kitchen'), await line('street')];
    await house.until(
      async () => ((await house.machine.hearthline('line status')).includes('kitchen') ? true : undefined),
      120_000,
      'the line',
    );
    const inside = new Baresip(ns, {
      host: 'kitchen',
      server: '192.168.77.1:5060',
      ...indoors.sip,
      tone: TONES.inside,
    });
    const outside = new Baresip(ns, { host: 'street', server: `${WAN}:5060`, ...outdoors.sip, tone: TONES.outside });
    await inside.says(/200 OK/, 60_000, 'registration');
    await outside.says(/200 OK/, 60_000, 'registration');
    inside.dial(outdoors.number);
    await inside.says(/Call established|established/, 60_000, 'the call to be answered');
    await pause(8000);
    inside.hangup();
    await pause(2500);
    const heard = [inside, outside].map((phone) => (phone.heard()[0] ?? new Int16Array()).subarray(8000, 48_000));
    await Promise.all([inside.stop(), outside.stop()]);
    for (const [own, other, middle = new Int16Array()] of [
      [TONES.inside, TONES.outside, heard[0]],
      [TONES.outside, TONES.inside, heard[1]],
    ] as const) {
      // What comes is the other's tone, in four fifths of five seconds.
      expect((heardShare(middle, other) * middle.length) / 40_000).toBeGreaterThanOrEqual(0.8);
      expect(levelOf(middle, own)).toBeLessThan(levelOf(middle, other) - 20);
    }
  });

  test('keeps within its memory', async () => {
    const { out } = await house.machine.run(
      'for p in /proc/[0-9]*; do case $(readlink $p/exe) in */hearthline) tr "\\0" " " < $p/cmdline; echo; grep -E "VmRSS|RssAnon" $p/status;; esac; done; free -m',
    );
    console.info(out);
    const own = [...out.matchAll(/RssAnon:\s+(\d+) kB/g)].map(([, kilo]) => Number(kilo) / 1024);
    expect(own.length).toBeGreaterThan(1);
    for (const mega of own) expect(mega).toBeLessThan(100);
  });
});

describe.skipIf(!here)('an update of that gateway', () => {
  test('that is good comes from a stick, is started, has its session, is marked good, and the cloud hears of it', async () => {
    const { machine } = house;
    took('the house');
    expect(await state()).toBe('order=A B A=3 B=0');
    const stick = await machine.plug();
    expect(await machine.hearthline('ota status --timeout 120')).toContain(`${stick}/good.raucb`);
    await machine.hearthline(`ota install ${stick}/good.raucb --timeout 120`);
    await machine.line(/slot B, attempt 1, 2 left, order B A/);
    took('from the order to the new system’s start');
    machine.restarted();
    await machine.line(/stage 9 of 9/, 900_000);
    took('from its start to service');
    expect(await outcome('1.1.0')).toMatchObject({ state: 'good', from: '1.0.0' });
    expect((await machine.run('cat /etc/hearthline/image.json')).out).toContain('"version":"1.1.0"');
    expect(await state()).toBe('order=B A A=3 B=3');
    expect((await machine.run('cat /data/update-root/floor')).out).toBe('1.1.0');
  });

  test('that is older than what has run here is refused on site, and the cloud hears why', async () => {
    await house.machine.hearthline(`ota install ${await house.machine.plug()}/older.raucb --timeout 120`);
    const refused = await house.until(
      async () => {
        const { items } = await house.cli<{ items: Report[] }>('gateway', 'updates', '--gateway', gateway);
        return items.find((one) => one.state === 'failed');
      },
      300_000,
      'the report of a refusal',
    );
    expect(refused).toMatchObject({ reason: 'update_too_old' });
    expect(await state()).toBe('order=B A A=3 B=3');
  });

  test('that is bad comes from a rollout, has its three boots, goes back by itself, and the cloud hears why', async () => {
    const { machine } = house;
    told = judge.entries;
    early = judge.part({ from: 0, until: told, ...EARLY });
    early.catch(() => undefined);
    const release = await house.cli<{ id: string }>('release', 'upload', house.at('bad.raucb'), '--version', '1.2.0');
    const words = ['--release', release.id, '--stages', '100', '--silence', '7200000'];
    const rollout = await house.cli<{ id: string }>('rollout', 'create', ...words);
    took('proof of the good one, upload of a bad one, and a rollout of it');
    for (const attempt of [1, 2, 3]) {
      await machine.line(new RegExp(`slot A, attempt ${attempt}, ${3 - attempt} left, order A B`), 900_000);
      took(attempt === 1 ? 'from the rollout to the bad one’s start' : 'a start of the bad one');
    }
    await machine.line(/slot B, attempt 1, 2 left, order A B/, 900_000);
    took('a start of the bad one');
    machine.restarted();
    await machine.line(/stage 9 of 9/, 900_000);
    took('from the way back to service');
    const report = await outcome('1.2.0');
    expect.soft(report).toMatchObject({
      state: 'back',
      reason: 'update_not_proved',
      stage: 'agent',
      attempts: 3,
      from: '1.1.0',
    });
    expect
      .soft(report.lines?.join('\n'))
      .toMatch(/hearthline\.service.*(?:exit-code|Start request repeated too quickly)/);
    expect.soft((await machine.run('cat /etc/hearthline/image.json')).out).toContain('"version":"1.1.0"');
    expect.soft(await machine.hearthline('ota history --timeout 120')).toMatch(/it came as far as: agent, 3 starts/);
    // To go back below what the new system never proved is no older version than the floor's.
    expect.soft((await machine.run('cat /data/update-root/floor')).out).toBe('1.1.0');
    await house.until(
      async () => ((await state()) === 'order=A B A=0 B=3' ? true : undefined),
      300_000,
      'the old system to be proved again',
    );
    const stopped = await house.until(
      async () => {
        const found = await house.cli<{ state: string; why?: string }>('rollout', 'show', '--rollout', rollout.id);
        return found.state === 'running' ? undefined : found;
      },
      120_000,
      'the rollout to stop',
    );
    expect(stopped).toMatchObject({ state: 'stopped' });
    expect(stopped.why).toBeDefined();
    // The gateway’s clock was weeks behind the cloud’s at each of its starts.
    expect(await machine.hearthline('status')).toMatch(/^outbox +.* 0 lost$/m);
    took('reports, proof of the old one, end of the rollout');
  });
});

describe.skipIf(!here)('the power fails', () => {
  test(`at any of ${points} points of that life, and old or new starts, never neither`, async () => {
    await house.machine.cut();
    await early;
    await judge.part({ from: told, until: judge.entries, points: points - EARLY.points, boots: boots - EARLY.boots });
    expect(judge).toMatchObject({ judged: points, booted: { length: boots } });
  });

  test.each(Array.from({ length: boots }, (_, index) => index))('and disk %d of those boots', async (index) => {
    expect(judge.booted.length).toBeGreaterThan(index);
    await judge.booted[index];
  });
});
