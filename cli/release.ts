import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';
import type { Options, Parsed } from '#shared/host/config.ts';
import { UPLOAD_PART } from '#shared/protocol/verbs/rollout.ts';
import { callCloud, cloudOptions } from './cloud-call.ts';
import type { Command, ExitCode, Io } from './command.ts';

const options = {
  ...cloudOptions,
  version: { kind: 'text', value: 'X.Y.Z', about: 'version of the image in the bundle', required: true },
  board: { kind: 'text', value: 'NAME', about: 'board that it is for', fallback: 'hearthline-rpi-arm64' },
  notes: { kind: 'text', value: 'TEXT', about: 'what is new' },
} as const satisfies Options;

interface Release {
  readonly id: string;
  readonly version: string;
  readonly board: string;
  readonly sha256: string;
  readonly state: string;
  readonly uploaded?: number;
}

/** The first octets of every RAUC bundle: its content is a squashfs with the signature behind it. */
const SQUASHFS = 'hsqs';

type Ask = (method: 'GET' | 'POST' | 'PUT', path: string, body?: object) => Promise<unknown>;

/** `release upload`: makes a release of a bundle and uploads it; run again it goes on where it was cut. */
export const releaseUploadCommand: Command = {
  about: 'Makes a release of a signed bundle and uploads it to the cloud; run again, it goes on where it was cut.',
  words: 1,
  usage: 'hearthline release upload FILE --version X.Y.Z --cloud URL --token TOKEN [options]',
  options,
  async run({ values, words }, io) {
    const [path] = words;
    if (path === undefined) {
      io.error('hearthline release upload: give the file of the bundle (NAME.raucb).');
      return 3;
    }
    try {
      return await upload(path, values, asker(values), io);
    } catch (error) {
      io.error(`hearthline release upload: ${error instanceof Error ? error.message : String(error)}`);
      return error instanceof Refused ? 2 : 3;
    }
  },
};

/** The cloud has said no. */
class Refused extends Error {}

/** Throws what is in the way; `Refused` where the cloud has said no. */
function asker(values: Parsed['values']): Ask {
  return async (method, path, body) => {
    const reply = await callCloud(values, { method, path, ...(body === undefined ? {} : { body }) });
    if (reply.ok) return reply.value;
    throw reply.fault.code === 2 ? new Refused(reply.fault.words) : new Error(reply.fault.words);
  };
}

async function upload(path: string, values: Readonly<Record<string, string>>, ask: Ask, io: Io): Promise<ExitCode> {
  const file = await open(path, 'r');
  try {
    const { size } = await file.stat();
    const { version = '', board = '', notes } = values;
    const first = Buffer.alloc(4);
    await file.read(first, 0, 4, 0);
    if (first.toString('latin1') !== SQUASHFS)
      throw new Refused(
        `${path} is no bundle: it holds no signed squashfs. Next: give the NAME.raucb that was made of the image.`,
      );
    const sha256 = await hashOf(file, size);
    const wanted = { version, board, sha256, size, ...(notes === undefined ? {} : { notes }) };
    let release = (await known(ask, wanted)) ?? ((await ask('POST', '/v1/releases', wanted)) as Release);
    const octets = new Uint8Array(UPLOAD_PART);
    for (let at = release.uploaded ?? 0; release.state === 'waiting' && at < size; ) {
      const { bytesRead } = await file.read(octets, 0, UPLOAD_PART, at);
      const data = Buffer.from(octets.subarray(0, bytesRead)).toString('base64');
      release = (await ask('PUT', `/v1/releases/${release.id}/bundle`, { offset: at, data })) as Release;
      at = release.uploaded ?? size;
      io.error(`${Math.floor((100 * at) / size)} %`);
    }
    io.out(
      values.json === 'true' ? JSON.stringify(release) : `${release.id}: ${version} for ${board} is ${release.state}`,
    );
    return release.state === 'ready' ? 0 : 1;
  } finally {
    await file.close();
  }
}

/** The release of the same file, made before. */
async function known(ask: Ask, wanted: Pick<Release, 'version' | 'board' | 'sha256'>): Promise<Release | undefined> {
  for (let after: string | undefined; ; ) {
    const page = (await ask('GET', `/v1/releases${after === undefined ? '' : `?after=${after}`}`)) as {
      items: Release[];
      next?: string;
    };
    const found = page.items.find((one) => one.version === wanted.version && one.board === wanted.board);
    if (found !== undefined && found.sha256 !== wanted.sha256)
      throw new Refused('A release of this version exists with another file. Next: give the next version.');
    if (found !== undefined || page.next === undefined) return found;
    after = page.next;
  }
}

async function hashOf(file: Awaited<ReturnType<typeof open>>, size: number): Promise<string> {
  const hash = createHash('sha256');
  const octets = new Uint8Array(UPLOAD_PART);
  for (let at = 0; at < size; ) {
    const { bytesRead } = await file.read(octets, 0, UPLOAD_PART, at);
    if (bytesRead === 0) throw new Error('the file became shorter while it was read');
    hash.update(octets.subarray(0, bytesRead));
    at += bytesRead;
  }
  return hash.digest('hex');
}
