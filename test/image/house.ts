/**
 * A house around the image: a cloud in its namespace, a street with a phone, a kitchen behind the gateway. The gateway has two cards
 * (to the internet, and a LAN), a stick with a bundle, a clock that is wrong, and a disk whose every write is recorded.
 */
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { writeBundle } from '#images/raspberry-pi/bundle.ts';
import { type CloudReady, Namespaces } from '../interop/netns.ts';
import { type TestImage, testSlot } from './image.ts';
import { Machine, packed, putOnBoot, tapCard } from './machine.ts';

export const WAN = '10.77.0.1';
export const DISK_BYTES = 1280 * 1024 * 1024;
/** A gateway that does not know the time: older than everything that signs. */
export const CLOCK = '2026-01-01T00:00:00';

const pause = (ms: number) => new Promise((resume) => setTimeout(resume, ms));

export class House implements AsyncDisposable {
  readonly ns = new Namespaces();
  readonly taps = { wan: `hlw${process.pid}`, lan: `hll${process.pid}` };
  readonly #folder = mkdtempSync(join(tmpdir(), 'hearthline-house-'));
  #cloud: (CloudReady & { readonly https: string }) | undefined;
  #machine: Machine | undefined;
  /** The home that the gateway's claim is for. */
  home = '';

  /** A file of this house. */
  at(name: string): string {
    return join(this.#folder, name);
  }

  get machine(): Machine {
    if (this.#machine === undefined) throw new Error('the gateway has not been switched on');
    return this.#machine;
  }

  /** A command of the operator's, and what it answered. */
  async cli<T>(...words: string[]): Promise<T> {
    const to = ['--cloud', `http://${WAN}:8080`, '--token', this.#cloud?.operatorToken ?? '', '--json'];
    return JSON.parse(await this.ns.meanwhile('cloud', 'bin/hearthline', ...words, ...to)) as T;
  }

  /** Looks again every two seconds: a question by the command line costs the machine that is emulated its time. */
  async until<T>(look: () => Promise<T | undefined>, limit: number, what: string): Promise<T> {
    for (const end = Date.now() + limit; Date.now() < end; await pause(2000)) {
      const found = await look();
      if (found !== undefined) return found;
    }
    throw new Error(`${what}: not within ${limit / 1000} s\n${this.machine.console.text.slice(-3000)}`);
  }

  /** Builds everything and switches the gateway on; its first boot has begun. */
  async open(image: TestImage): Promise<void> {
    const { ns, taps } = this;
    for (const host of ['cloud', 'street', 'kitchen']) ns.add(host);
    const cards = [...tapCard(taps.wan, 'wan'), ...tapCard(taps.lan, 'lan')];
    ns.within('cloud', 'ip', 'link', 'add', 'wan', 'type', 'bridge');
    ns.within('cloud', 'ip', 'address', 'add', `${WAN}/24`, 'dev', 'wan');
    ns.within('cloud', 'ip', 'link', 'set', 'wan', 'up');
    ns.cable({ host: 'cloud', as: 'street' }, { host: 'street', as: 'eth0', address: '10.77.0.3/24' });
    ns.within('cloud', 'ip', 'link', 'set', 'street', 'master', 'wan');
    const at = ['--http', `${WAN}:8080`, '--mqtt', `${WAN}:8883`, '--sip', `${WAN}:5060`, '--sips', `${WAN}:5061`];
    const words = ['cloud', '--data', join(ns.folder, 'cloud'), ...at, '--https', `${WAN}:8443`];
    const cloud = await ns.hearthline<CloudReady & { https: string }>('cloud', 'cloud.json', [
      ...words,
      ...['--media', `${WAN}:20000-20199`],
    ]);
    this.#cloud = cloud.ready;
    this.home = (await this.cli<{ id: string }>('home', 'create', '--name', 'Elm')).id;
    const { claim } = await this.cli<{ claim: string }>('claim', 'create', '--home', this.home);
    this.#disk(image, {
      cloud: `https://${WAN}:8443#${cloud.ready.https.split('#')[1]}`,
      claim,
      network: { role: 'router', address: '10.77.0.2/24', gateway: WAN, dns: [WAN] },
    });
    this.#stick(image);
    await this.#switchOn(image, cards);
    // A bad one for a rollout: its agent ends at once. Made while the gateway boots.
    writeBundle(testSlot(image, { version: '1.2.0', broken: true }), '1.2.0', image.authority, this.at('bad.raucb'));
  }

  #disk(image: TestImage, settings: object): void {
    writeFileSync(this.at('hearthline.json'), JSON.stringify(settings, undefined, 2));
    execFileSync('cp', ['--sparse=always', image.disk, this.at('base.img')]);
    truncateSync(this.at('base.img'), DISK_BYTES);
    putOnBoot(this.at('base.img'), this.at('hearthline.json'), 'hearthline.json');
    execFileSync('cp', ['--sparse=always', this.at('base.img'), this.at('disk.img')]);
    writeFileSync(this.at('writes.log'), '');
  }

  /** A good bundle, and an old one. */
  #stick(image: TestImage): void {
    mkdirSync(this.at('stick'));
    writeBundle(testSlot(image, { version: '1.1.0' }), '1.1.0', image.authority, this.at('stick/good.raucb'));
    writeBundle(randomBytes(1024 * 1024), '0.9.0', image.authority, this.at('stick/older.raucb'));
    packed(this.at('stick'), this.at('stick.squashfs'));
  }

  async #switchOn(image: TestImage, cards: readonly string[]): Promise<void> {
    this.#machine = await Machine.start({
      folder: this.#folder,
      uboot: image.uboot.qemu,
      clock: CLOCK,
      disk: [
        ...['-blockdev', `driver=file,filename=${this.at('disk.img')},node-name=file0`],
        ...['-blockdev', `driver=file,filename=${this.at('writes.log')},node-name=log0`],
        ...['-blockdev', 'driver=blklogwrites,node-name=d0,file=file0,log=log0'],
      ],
      network: cards,
      stick: this.at('stick.squashfs'),
    });
    await this.#machine.line(/U-Boot/, 120_000);
    // A card keeps its other end open when that moves to another namespace.
    for (const [tap, host] of [
      [this.taps.wan, 'cloud'],
      [this.taps.lan, 'kitchen'],
    ] as const) {
      this.ns.ip('link', 'set', tap, 'netns', this.ns.name(host));
      if (host === 'cloud') this.ns.within(host, 'ip', 'link', 'set', tap, 'master', 'wan');
      this.ns.within(host, 'ip', 'link', 'set', tap, 'up');
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#machine?.cut();
    await this.ns[Symbol.asyncDispose]();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
