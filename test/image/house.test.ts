/**
 * The image as the gateway of a house: two cards (to the internet, and a LAN with a phone that gets its address from it), paired by
 * a claim on its boot partition with a cloud on the host, and a call to a phone outside with sound both ways.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { portFaults, readOwnedPorts } from '#images/raspberry-pi/ports.ts';
import { levelOf } from '#shared/rtp/measure.ts';
import { Baresip } from '../interop/baresip.ts';
import { type CloudReady, eventually, Namespaces } from '../interop/netns.ts';
import { hasNamespaces, hasProgram } from '../peers.ts';
import { Machine, putOnBoot, tapCard } from './machine.ts';

const WAN = '10.77.0.1';
const TONES = { inside: 443, outside: 617 };
const DISK_BYTES = 1280 * 1024 * 1024;

interface Line {
  readonly number: string;
  readonly sip: { readonly username: string; readonly password: string };
}

const pause = (ms: number) => new Promise((resume) => setTimeout(resume, ms));

describe.skipIf(!hasNamespaces() || !hasProgram('baresip') || !hasProgram('busybox'))(
  'a house behind the image',
  () => {
    const image = inject('image');
    const ns = new Namespaces();
    const folder = mkdtempSync(join(tmpdir(), 'hearthline-house-'));
    const taps = { wan: `hlw${process.pid}`, lan: `hll${process.pid}` };
    let cloud: CloudReady & { readonly https: string };
    let machine: Machine | undefined;
    let home = '';
    const cli = async <T>(...words: string[]) =>
      JSON.parse(
        await ns.meanwhile(
          ...(['cloud', 'bin/hearthline', ...words, '--cloud', `http://${WAN}:8080`] as const),
          ...['--token', cloud.operatorToken, '--json'],
        ),
      ) as T;

    beforeAll(async () => {
      for (const host of ['cloud', 'street', 'kitchen']) ns.add(host);
      const cards = [...tapCard(taps.wan, 'wan'), ...tapCard(taps.lan, 'lan')];
      ns.within('cloud', 'ip', 'link', 'add', 'wan', 'type', 'bridge');
      ns.within('cloud', 'ip', 'address', 'add', `${WAN}/24`, 'dev', 'wan');
      ns.within('cloud', 'ip', 'link', 'set', 'wan', 'up');
      ns.cable({ host: 'cloud', as: 'street' }, { host: 'street', as: 'eth0', address: '10.77.0.3/24' });
      ns.within('cloud', 'ip', 'link', 'set', 'street', 'master', 'wan');
      const at = ['--http', `${WAN}:8080`, '--mqtt', `${WAN}:8883`, '--sip', `${WAN}:5060`, '--sips', `${WAN}:5061`];
      cloud = (
        await ns.hearthline<CloudReady & { https: string }>('cloud', 'cloud.json', [
          ...['cloud', '--data', join(ns.folder, 'cloud'), ...at, '--https', `${WAN}:8443`],
          ...['--media', `${WAN}:20000-20199`],
        ])
      ).ready;
      home = (await cli<{ id: string }>('home', 'create', '--name', 'Elm')).id;
      const { claim } = await cli<{ claim: string }>('claim', 'create', '--home', home);
      const settings = {
        cloud: `https://${WAN}:8443#${cloud.https.split('#')[1]}`,
        claim,
        network: { role: 'router', address: '10.77.0.2/24', gateway: WAN, dns: [WAN] },
      };
      writeFileSync(join(folder, 'hearthline.json'), JSON.stringify(settings, undefined, 2));
      const disk = join(folder, 'disk.img');
      execFileSync('cp', ['--sparse=always', image.disk, disk]);
      execFileSync('truncate', ['-s', String(DISK_BYTES), disk]);
      putOnBoot(disk, join(folder, 'hearthline.json'), 'hearthline.json');
      const started = Machine.start({
        folder,
        uboot: image.uboot.qemu,
        disk: { file: disk, format: 'raw' },
        network: cards,
      });
      machine = await started;
      await machine.line(/U-Boot/, 60_000);
      // A card keeps its other end open when that moves to another namespace.
      for (const [tap, host] of [
        [taps.wan, 'cloud'],
        [taps.lan, 'kitchen'],
      ] as const) {
        ns.ip('link', 'set', tap, 'netns', ns.name(host));
        if (host === 'cloud') ns.within(host, 'ip', 'link', 'set', tap, 'master', 'wan');
        ns.within(host, 'ip', 'link', 'set', tap, 'up');
      }
    });
    afterAll(async () => {
      await machine?.cut();
      await ns[Symbol.asyncDispose]();
      rmSync(folder, { recursive: true, force: true });
    });

    test('pairs by the claim that stands on its boot partition', async () => {
      await eventually(
        async () => (await cli<{ items: unknown[] }>('gateway', 'list', '--home', home)).items.length > 0,
        400_000,
        'the gateway to be paired',
      ).catch((error: Error) => {
        throw new Error(`${error.message}\n${machine?.console.text.slice(-3000)}`);
      });
      await machine?.line(/stage 9 of 9/, 120_000);
    });

    test('has exactly the ports open that a router has', async () => {
      const owned = readOwnedPorts(
        readFileSync(join(import.meta.dirname, '../../images/raspberry-pi/ports.txt'), 'utf8'),
      );
      expect(portFaults((await machine!.run('ss -lntup')).out, owned, 'router')).toEqual([]);
    });

    test('gives a phone in the house an address, and carries its call to a phone outside with sound both ways', async () => {
      const script = join(folder, 'lease.sh');
      writeFileSync(
        script,
        '#!/bin/sh\n[ "$1" = bound ] && ip address add "$ip/24" dev "$interface" && ip route add default via "$router"\nexit 0\n',
        { mode: 0o755 },
      );
      const ask = ['udhcpc', '-i', taps.lan, '-n', '-q', '-t', '30', '-T', '2', '-s', script];
      await ns.meanwhile('kitchen', 'busybox', ...ask);
      expect(ns.within('kitchen', 'ip', 'address', 'show', 'dev', taps.lan)).toMatch(/inet 192\.168\.77\.\d+\/24/);
      const line = (name: string) => cli<Line>('line', 'create', '--home', home, '--name', name);
      const [indoors, outdoors] = [await line('kitchen'), await line('street')];
      await eventually(
        async () => (await machine!.run('hearthline line status --state /data/hearthline')).out.includes('kitchen'),
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
      for (const [own, other, heard] of [
        [TONES.inside, TONES.outside, inside.heard()[0]],
        [TONES.outside, TONES.inside, outside.heard()[0]],
      ] as const) {
        const middle = (heard ?? new Int16Array()).subarray(8000, 48_000);
        // Under emulation up to a fifth of the sound may be missing; what comes is the other's tone.
        expect(middle.length).toBeGreaterThan(32_000);
        expect(levelOf(middle, other)).toBeGreaterThan(-27);
        expect(levelOf(middle, own)).toBeLessThan(levelOf(middle, other) - 20);
      }
    });
  },
);
