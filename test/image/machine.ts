/** A gateway in qemu, driven by its serial console. Limits are generous: an emulated boot takes 20 s on a quiet machine, minutes on a busy one. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { appendFileSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';

/** One serial line: what came out of it so far, and a way in. */
export class Serial {
  #text = '';
  #seen = 0;
  #waiting: (() => void)[] = [];
  #write: (text: string) => void = () => undefined;
  #log: string | undefined;

  constructor(log?: string) {
    this.#log = log;
  }

  /** Takes what the machine wrote. */
  heard(piece: string): void {
    this.#text += piece;
    if (this.#log !== undefined) appendFileSync(this.#log, piece);
    for (const wake of this.#waiting.splice(0)) wake();
  }

  /** Tells all that wait that nothing more will come. */
  ended(): void {
    for (const wake of this.#waiting.splice(0)) wake();
  }

  /** Where `send` writes. */
  speaksTo(write: (text: string) => void): void {
    this.#write = write;
  }

  /** Everything heard so far. */
  get text(): string {
    return this.#text;
  }

  send(text: string): void {
    this.#write(text);
  }

  /** Resolves with the first match after the last one waited for; rejects after `limit` milliseconds with the last lines. */
  async line(pattern: RegExp, limit: number, alive: () => boolean = () => true): Promise<RegExpMatchArray> {
    const until = Date.now() + limit;
    for (;;) {
      const match = this.#text.slice(this.#seen).match(pattern);
      if (match?.index !== undefined) {
        this.#seen += match.index + match[0].length;
        return match;
      }
      const left = until - Date.now();
      if (left <= 0 || !alive())
        throw new Error(
          `${alive() ? `not within ${limit / 1000} s` : 'the machine ended'}: ${pattern}\n${this.#text.slice(-3000)}`,
        );
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, Math.min(left, 2000));
        this.#waiting.push(() => {
          clearTimeout(timer);
          resolve();
        });
      });
    }
  }
}

/** How a machine is put together. */
export interface MachineSettings {
  /** Folder for sockets and logs of this machine. */
  readonly folder: string;
  /** U-Boot for qemu's board. */
  readonly uboot: string;
  /** The disk: file and format, or more qemu words that define a block device called `d0`. */
  readonly disk: { readonly file: string; readonly format: 'raw' | 'qcow2' } | readonly string[];
  /** What the guest's clock chip says (ISO without zone, UTC). */
  readonly clock?: string;
  /** qemu's network words; default: no card at all. */
  readonly network?: readonly string[];
  /** Ends qemu at a restart of the guest instead of booting again. */
  readonly once?: boolean;
  /** A file system that the guest finds on a second disk: see `Machine.plug`. */
  readonly stick?: string;
  /** More words. */
  readonly more?: readonly string[];
  /** Processors of qemu's own board, default 2; one leaves the other core of the host to a machine beside it. */
  readonly processors?: 1 | 2;
  /** Emulates a Raspberry Pi 3 with this device tree instead; `uboot` is the one of the card. Its console is the second serial line. */
  readonly pi3?: string;
}

/** Without merging: it joins up to 1,024 pieces into one write, and a log of writes adds two, more than the host's `pwritev` takes. */
const DISK = 'virtio-blk-device,drive=d0,request-merging=off';

/** qemu's own board. */
const virt = (settings: MachineSettings, disk: readonly string[], shell: string): string[] => [
  ...['-M', 'virt', '-cpu', 'cortex-a53', '-smp', `${settings.processors ?? 2}`],
  ...['-m', '1024', '-accel', 'tcg,thread=multi'],
  ...['-bios', settings.uboot, ...disk, '-device', DISK, '-device', 'virtio-rng-pci'],
  ...['-rtc', `base=${settings.clock ?? 'utc'}`],
  ...(settings.network ?? ['-nic', 'none']),
  ...['-chardev', `socket,id=shell,path=${shell}`, '-device', 'pci-serial,chardev=shell', '-serial', 'stdio'],
];

/** A Raspberry Pi 3; its card has to be a power of two long. */
function pi3({ uboot, disk }: MachineSettings, tree: string, shell: string): string[] {
  if (!('file' in disk)) throw new Error('a Raspberry Pi 3 takes one card');
  return [
    ...['-M', 'raspi3b', '-kernel', uboot, '-dtb', tree],
    ...['-drive', `file=${disk.file},format=${disk.format},if=sd,cache=unsafe`],
    ...['-chardev', `socket,id=shell,path=${shell}`, '-serial', 'chardev:shell', '-serial', 'stdio'],
  ];
}

/** A running gateway. */
export class Machine {
  readonly console: Serial;
  /** The second serial line: a root shell in test images. */
  readonly shell: Serial;
  readonly #child: ChildProcess;
  #running = true;
  #shelled = false;
  #errors = '';
  readonly #ended: Promise<void>;

  private constructor(child: ChildProcess, server: Server, console: Serial, shell: Serial) {
    this.#child = child;
    this.console = console;
    this.shell = shell;
    child.stdout?.setEncoding('utf8').on('data', (piece: string) => console.heard(piece));
    child.stderr?.setEncoding('utf8').on('data', (piece: string) => {
      this.#errors += piece;
    });
    console.speaksTo((text) => child.stdin?.write(text));
    this.#ended = new Promise((resolve) => {
      child.on('exit', () => {
        this.#running = false;
        server.close();
        console.ended();
        shell.ended();
        resolve();
      });
    });
  }

  /** Starts a machine. */
  static async start(settings: MachineSettings): Promise<Machine> {
    const shell = new Serial(process.env.HEARTHLINE_IMAGE_LOG);
    const path = join(settings.folder, `shell-${Math.random().toString(36).slice(2)}.sock`);
    const server = createServer((socket: Socket) => {
      socket.setEncoding('utf8').on('data', (piece: string) => shell.heard(piece));
      socket.on('error', () => undefined);
      shell.speaksTo((text) => socket.write(text));
    });
    await new Promise<void>((resolve) => server.listen(path, resolve));
    const disk: readonly string[] =
      'file' in settings.disk
        ? ['-drive', `file=${settings.disk.file},format=${settings.disk.format},if=none,id=d0,cache=unsafe`]
        : settings.disk;
    const args = [
      ...(settings.pi3 === undefined ? virt(settings, disk, path) : pi3(settings, settings.pi3, path)),
      ...(settings.once === true ? ['-no-reboot'] : []),
      ...(settings.stick === undefined
        ? []
        : ['-drive', `file=${settings.stick},format=raw,if=none,id=stick,readonly=on`]),
      ...(settings.stick === undefined ? [] : ['-device', 'virtio-blk-device,drive=stick']),
      ...['-display', 'none', '-monitor', 'none', ...(settings.more ?? [])],
    ];
    // However this process ends, its machine ends with it (prctl(2), PR_SET_PDEATHSIG).
    const child = spawn('setpriv', ['--pdeathsig', 'KILL', 'qemu-system-aarch64', ...args], {
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    return new Machine(child, server, new Serial(process.env.HEARTHLINE_IMAGE_LOG), shell);
  }

  /** What qemu itself complained about. */
  get errors(): string {
    return this.#errors;
  }

  /** Waits for a line on the console. */
  line(pattern: RegExp, limit = 600_000): Promise<RegExpMatchArray> {
    return this.console.line(pattern, limit, () => this.#running);
  }

  /** Runs a command in the test image's shell; resolves with its output and exit code. */
  async run(command: string, limit = 600_000): Promise<{ code: number; out: string }> {
    if (!this.#shelled) await this.shell.line(/SHELL READY/, 900_000, () => this.#running);
    this.#shelled = true;
    const mark = `m${Math.random().toString(36).slice(2, 10)}`;
    this.shell.send(`{ ${command}; } < /dev/null 2>&1; echo "${mark}:$?"\n`);
    const [whole, out, code] = await this.shell.line(
      new RegExp(`([\\s\\S]*?)${mark}:(\\d+)`),
      limit,
      () => this.#running,
    );
    return { code: Number(code), out: (out ?? whole).replaceAll('\r', '').trim() };
  }

  /** Mounts the stick where sticks are looked for; which of the disks it is depends on the order in which the kernel found them. */
  async plug(): Promise<string> {
    const place = '/run/media/stick';
    const mount = (disk: string) => `mount -t squashfs -o ro /dev/${disk} ${place}`;
    const { code, out } = await this.run(`mkdir -p ${place}; ${mount('vdb')} || ${mount('vda')}`);
    if (code !== 0) throw new Error(out);
    return place;
  }

  /** An order to the agent by its own command line. */
  async hearthline(words: string): Promise<string> {
    const { code, out } = await this.run(`hearthline ${words} --state /data/hearthline`);
    if (code > 1) throw new Error(`hearthline ${words}: ${out}`);
    return out;
  }

  /** The guest starts anew: its shell has to come up again. */
  restarted(): void {
    this.#shelled = false;
  }

  /** Waits until qemu has ended by itself (guest powered off, or restarted with `once`). */
  async end(limit = 60_000): Promise<void> {
    const timer = setTimeout(() => this.cut(), limit);
    await this.#ended;
    clearTimeout(timer);
  }

  /** Takes the power away; resolves when qemu is gone. */
  async cut(): Promise<void> {
    if (this.#running) this.#child.kill('SIGKILL');
    await this.#ended;
  }
}

/** A disk that keeps what is written to it apart from the image it starts from; `bytes` is the card's size. */
export function overlay(image: string, path: string, bytes: number): { file: string; format: 'qcow2' } {
  execFileSync('qemu-img', [
    'create',
    '-q',
    '-f',
    'qcow2',
    '-b',
    image,
    '-F',
    image.endsWith('.qcow2') ? 'qcow2' : 'raw',
    path,
    String(bytes),
  ]);
  return { file: path, format: 'qcow2' };
}

/** qemu's words for a card whose other end is the device `tap` of the host (made here, up; the caller may move it to a namespace). */
export function tapCard(tap: string, id: string): string[] {
  execFileSync('ip', ['tuntap', 'add', 'dev', tap, 'mode', 'tap']);
  const end = `tap,id=${id},ifname=${tap},script=no,downscript=no,vnet_hdr=off`;
  return ['-netdev', end, '-device', `virtio-net-pci,netdev=${id},romfile=`];
}

/** A folder as a file system, uncompressed: what is in it has been compressed already. */
export function packed(folder: string, path: string): void {
  execFileSync('mksquashfs', [folder, path, '-noI', '-noD', '-noF', '-noX', '-quiet', '-no-progress']);
}

/** Puts a file onto the boot partition of a disk image. */
export function putOnBoot(disk: string, file: string, name: string): void {
  execFileSync('mcopy', ['-o', '-i', `${disk}@@1M`, file, `::${name}`]);
}
