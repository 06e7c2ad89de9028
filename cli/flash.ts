/** `hearthline flash`: puts a gateway's image on a card, so that only a right image reaches only the right disk. */
import { existsSync, readFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { createInterface } from 'node:readline/promises';
import type { Options, Parsed, Values } from '#shared/host/config.ts';
import { utf8 } from '#shared/kernel/bytes.ts';
import type { ImageEntry } from '#shared/protocol/image-manifest.ts';
import { SETTINGS_FILE, STATUS_FILE } from '#shared/protocol/image-settings.ts';
import type { Command, ExitCode, Io } from './command.ts';
import { diskFacts, placeAt } from './flash/disks.ts';
import { bootPartition, openFat } from './flash/fat.ts';
import { fileHash, headOf, ImageError, isZstd } from './flash/image.ts';
import { Reporter } from './flash/reporter.ts';
import { checkFile, settingsOptions, settingsText } from './flash/settings.ts';
import { judgeTarget, told } from './flash/target.ts';
import { trustedEntry } from './flash/trust.ts';
import { areaOf, firstDifference, Interrupted, Target, type WriteJob, writeImage } from './flash/write.ts';

const options = {
  key: { kind: 'text', value: 'FILE,…', about: 'public keys (PEM) of those who may have signed the image' },
  unsigned: { kind: 'flag', about: 'take an image that nobody has signed' },
  manifest: { kind: 'text', value: 'FILE', about: 'the image’s manifest (default: beside the image)' },
  verify: { kind: 'flag', about: 'write nothing: only compare DISK with IMAGE' },
  check: { kind: 'flag', about: `write nothing: only check the ${SETTINGS_FILE} that is named in the place of IMAGE` },
  yes: { kind: 'flag', about: 'ask no question' },
  'yes-really': { kind: 'flag', about: 'a large or built-in disk is meant' },
  ...settingsOptions,
  json: { kind: 'flag', about: 'print events as JSON, one on each line' },
} as const satisfies Options;

/** Octets that may come out of an image without a manifest. */
const UNKNOWN_SIZE = 64 * 10 ** 9;

export const flashCommand: Command = {
  about: 'Writes a gateway’s image to a card or disk: checked before, read back after, with your settings on it.',
  words: 2,
  usage: 'hearthline flash IMAGE DISK [options]   |   hearthline flash --check hearthline.json',
  options,
  async run(input, io) {
    if (input.values.check === 'true') return check(input, io);
    const [image, disk] = input.words;
    if (image === undefined || disk === undefined) {
      io.error(`usage: ${flashCommand.usage}`);
      return 3;
    }
    try {
      return await flash({ image, disk, values: input.values }, io);
    } catch (error) {
      if (error instanceof Interrupted) {
        io.error(`Interrupted. ${disk} holds no usable image now and starts nothing; begin again.`);
        return 2;
      }
      if (!(error instanceof ImageError)) throw error;
      io.error(error.message);
      return 2;
    }
  },
};

function check({ words, values }: Parsed, io: Io): ExitCode {
  const [file, ...more] = words;
  if (file === undefined || more.length > 0 || !existsSync(file)) {
    io.error(`hearthline flash --check: name one ${SETTINGS_FILE} that exists.`);
    return 3;
  }
  const problems = checkFile(new Uint8Array(readFileSync(file)));
  if (values.json === 'true') io.out(JSON.stringify({ file, good: problems.length === 0, problems }));
  else io.out(problems.length === 0 ? `${file}: good.` : problems.map((problem) => `${file}: ${problem}`).join('\n'));
  return problems.length === 0 ? 0 : 2;
}

interface Job {
  readonly image: string;
  readonly disk: string;
  readonly values: Values;
}

async function flash(job: Job, io: Io): Promise<ExitCode> {
  const { values, image } = job;
  const [on, refuse] = [(name: string) => values[name] === 'true', refusal(io)];
  const settings = settingsText(values);
  if (!settings.ok) return refuse(settings.fault.join('\n'));
  if (!existsSync(image)) return refuse(`${image} does not exist.`);
  const keys = (values.key ?? '').split(',').filter((key) => key !== '');
  const trusted = await trustedEntry({ image, keys, manifest: values.manifest, unsigned: on('unsigned') });
  if (!trusted.ok) return refuse(trusted.fault);
  const bar = process.stderr.isTTY ? (text: string) => process.stderr.write(text) : undefined;
  const reporter = new Reporter(io, on('json'), bar);
  await using file = await open(image, 'r');
  const size = await goodImage(file, trusted.value, reporter);
  const place = placeAt(job.disk);
  if (!place.ok) return refuse(place.fault);
  if (on('verify') && place.value.is === 'nothing') return refuse(`${job.disk} does not exist.`);
  if (place.value.is === 'block') {
    const facts = diskFacts(place.value.major, place.value.minor);
    if (!facts.ok) return refuse(`${job.disk}: ${facts.fault}.`);
    const consent = { yes: on('yes') || on('verify'), really: on('yes-really') || on('verify') };
    const judged = judgeTarget(facts.value, size ?? 1, consent);
    if (!judged.ok) return refuse(judged.fault);
    if (judged.value.length > 0 && !(await confirmed(judged.value, facts.value.name)))
      return refuse(`Nothing was written. Without a terminal to ask at, give --yes.`);
  }
  const stop = { asked: false };
  const interrupt = () => {
    stop.asked = true;
  };
  process.once('SIGINT', interrupt).once('SIGTERM', interrupt);
  try {
    const work = new Work(job, place.value.is === 'block', size, reporter, () => stop.asked);
    if (on('verify')) return await work.compare(file);
    await work.write(file, trusted.value, settings.value);
    return 0;
  } finally {
    process.off('SIGINT', interrupt).off('SIGTERM', interrupt);
  }
}

const refusal =
  (io: Io) =>
  (words: string): ExitCode => {
    io.error(words);
    return 3;
  };

/** Checks the file against its manifest; the content's size, undefined where nobody knows it beforehand. */
async function goodImage(
  file: WriteJob['image'],
  entry: ImageEntry | undefined,
  reporter: Reporter,
): Promise<number | undefined> {
  const { size } = await file.stat();
  const packed = await isZstd(file);
  if (entry === undefined) {
    // Nobody vouches for it, and it would overwrite a disk: it must at least look like what the gateway starts from.
    const boot = bootPartition(await headOf(file));
    if (!boot.ok) throw new ImageError(`This is no gateway’s image: ${boot.fault}. Nothing was written.`);
    return packed ? undefined : size;
  }
  const [length, hash] = packed
    ? [entry.image_download_size, entry.image_download_sha256]
    : [entry.extract_size, entry.extract_sha256];
  if (size !== length)
    throw new ImageError(
      `The image has ${size} octets, its manifest says ${length}: it was not downloaded whole, or belongs to another.`,
    );
  const found = await fileHash(file, (done) => reporter.step('check', done, size));
  if (found !== hash)
    throw new ImageError('The image is not the one that its manifest describes (SHA-256 differs). Download it again.');
  return entry.extract_size;
}

async function confirmed(warnings: readonly string[], name: string): Promise<boolean> {
  if (!process.stdin.isTTY) return false;
  const ask = createInterface({ input: process.stdin, output: process.stderr });
  const answer = await ask.question(`${warnings.join('\n')}\nType its name (${name}) to go on: `);
  ask.close();
  return answer.trim() === name;
}

/** One flashing, or one comparing. */
class Work {
  readonly #job: Job;
  readonly #block: boolean;
  /** Octets of the content, where they are known beforehand. */
  readonly #size: number | undefined;
  readonly #reporter: Reporter;
  readonly #stopped: () => boolean;

  constructor(job: Job, block: boolean, size: number | undefined, reporter: Reporter, stopped: () => boolean) {
    this.#job = job;
    this.#block = block;
    this.#size = size;
    this.#reporter = reporter;
    this.#stopped = stopped;
  }

  async write(image: WriteJob['image'], entry: ImageEntry | undefined, settings: string | undefined): Promise<void> {
    const { disk } = this.#job;
    let target = await Target.open(disk, this.#block);
    try {
      const written = await writeImage(target, this.#writing(image, 'write'));
      if (entry !== undefined && written.sha256 !== entry.extract_sha256)
        throw new ImageError('The image’s content is not what its manifest says. The disk starts nothing.');
      await written.finish();
      // With the last one that has it open, the kernel drops what it remembers of a disk: what is read now comes from the disk.
      await target.close();
      target = await Target.open(disk, this.#block);
      const wrong = await firstDifference(target, written, this.#writing(image, 'verify'));
      if (wrong !== undefined)
        throw new ImageError(
          `What was read back differs from what was written, from ${told(wrong)} on: the card is worn out or smaller than it says. Take another.`,
        );
      if (settings !== undefined) await this.#settings(target, settings);
      await target.sync();
      const { sha256, size } = written;
      this.#reporter.event('done', { disk, size, sha256, settings: settings !== undefined }, next(disk, settings));
    } finally {
      await target.close();
    }
  }

  /** Compares without writing; what a gateway has written since counts as a difference, and is named by its partition. */
  async compare(image: WriteJob['image']): Promise<ExitCode> {
    const target = await Target.open(this.#job.disk, this.#block);
    try {
      const differing = await differences(target, this.#writing(image, 'verify'));
      const words =
        differing.length === 0 ? 'is the image, octet by octet' : `differs from the image in ${differing.join(', ')}`;
      this.#reporter.event('compared', { disk: this.#job.disk, differing }, `${this.#job.disk} ${words}.`);
      return differing.length === 0 ? 0 : 2;
    } finally {
      await target.close();
    }
  }

  #writing(image: WriteJob['image'], phase: 'write' | 'verify'): WriteJob {
    const size = this.#size ?? UNKNOWN_SIZE;
    return { image, size, told: (done) => this.#reporter.step(phase, done, this.#size), stopped: this.#stopped };
  }

  async #settings(target: Target, text: string): Promise<void> {
    const boot = bootPartition(await target.read(0, 512));
    const volume = boot.ok ? await openFat(areaOf(target, boot.value)) : boot;
    const done = volume.ok ? await volume.value.write(SETTINGS_FILE, utf8(text), Date.now()) : volume;
    const read = done.ok && volume.ok ? await volume.value.read(SETTINGS_FILE) : done;
    const same = read.ok && read.value !== undefined && Buffer.from(text).equals(read.value);
    if (!same)
      throw new ImageError(
        `The image is written, but not your settings: ${read.ok ? 'they were read back differently' : read.fault}.`,
      );
  }
}

/** Which parts of the disk differ: `start`, `partition 1` … by the image's own partition table. */
async function differences(target: Target, job: WriteJob): Promise<string[]> {
  const { unpack } = await import('./flash/image.ts');
  const found = new Set<string>();
  let table: Buffer = Buffer.alloc(512);
  await unpack(job.image, job.size, async (block, at) => {
    if (job.stopped()) throw new Interrupted();
    if (at === 0) table = Buffer.from(block.subarray(0, 512));
    const other = await target.read(at, block.length);
    if (!block.equals(other)) for (const name of partsWithin(table, block, other, at)) found.add(name);
    job.told(at + block.length);
  });
  return [...found].sort();
}

function partsWithin(table: Buffer, block: Buffer, other: Buffer, at: number): Set<string> {
  const names = new Set<string>();
  for (let from = 0; from < block.length; from += 512) {
    if (block.subarray(from, from + 512).equals(other.subarray(from, from + 512))) continue;
    const sector = (at + from) / 512;
    const part = [0, 1, 2, 3].find((n) => {
      const start = table.readUInt32LE(446 + n * 16 + 8);
      return sector >= start && sector < start + table.readUInt32LE(446 + n * 16 + 12);
    });
    names.add(part === undefined ? 'the start of the disk' : `partition ${part + 1}`);
  }
  return names;
}

/** What comes now, for the person with the card in hand. */
function next(disk: string, text: string | undefined): string {
  const settings = JSON.parse(text ?? '{}') as { readonly cloud?: unknown; readonly claim?: unknown };
  const paired =
    typeof settings.claim === 'string'
      ? 'it pairs by itself, by its claim'
      : settings.cloud === undefined
        ? `it serves the house; to pair it, name the cloud in ${SETTINGS_FILE} on its boot partition`
        : 'it shows its pairing code within a minute or two';
  const answer =
    text === undefined ? '' : ` What the gateway makes of your settings it writes to ${STATUS_FILE} beside them.`;
  return `${disk} is ready and was read back. Put it into the gateway and switch that on: ${paired}.${answer}`;
}
