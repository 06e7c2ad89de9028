/** The bundle that was made last, fetched in parts: each fits a packet to the cloud. */
import { toBase64 } from '#shared/kernel/base64.ts';
import { hex } from '#shared/kernel/bytes.ts';
import { newId } from '#shared/kernel/ids.ts';
import { err, ok, type Result } from '#shared/kernel/result.ts';
import { sleep } from '#shared/kernel/time.ts';
import type { World } from '#shared/kernel/world.ts';
import { type Fault, fault } from '#shared/protocol/fault.ts';
import type { VerbReply, VerbRequest } from '#shared/protocol/verbs/index.ts';
import { gzip } from './adapter-gzip.ts';
import { BUNDLE_LIMIT, type BundleInput, bundleFiles } from './bundle.ts';
import { tar } from './tar.ts';

/** Octets of one part: with base 64 and envelope it fits a packet. */
const PART = 36 * 1024;

interface Bundle {
  readonly id: string;
  readonly data: Uint8Array;
  readonly sha256: string;
  readonly files: VerbReply<'gateway.bundle.local'>['files'];
}

export class Bundles {
  readonly #world: World;
  readonly #content: () => Promise<Omit<BundleInput, 'pause'>>;
  #made: Bundle | undefined;

  constructor(world: World, content: () => Promise<Omit<BundleInput, 'pause'>>) {
    this.#world = world;
    this.#content = content;
  }

  /** Makes a bundle where none is named, and gives its facts, or one part of it. */
  async ask({
    bundle,
    part,
  }: VerbRequest<'gateway.bundle.local'>): Promise<Result<VerbReply<'gateway.bundle.local'>, Fault>> {
    if (bundle === undefined) this.#made = await this.#make();
    const made = this.#made;
    if (made === undefined || (bundle !== undefined && made.id !== bundle))
      return err(fault('not_found', 'That bundle is gone; make another.'));
    const { id, data, sha256, files } = made;
    const about = { id, octets: data.length, sha256, parts: Math.ceil(data.length / PART), files };
    if (part === undefined) return ok(about);
    if (part >= about.parts) return err(fault('not_found', 'The bundle has no such part.'));
    return ok({ ...about, part, data: toBase64(data.subarray(part * PART, (part + 1) * PART)) });
  }

  async #make(): Promise<Bundle> {
    const { clock, crypto, random } = this.#world;
    const content = await this.#content();
    const { wall } = content;
    const files = await bundleFiles({ ...content, pause: () => sleep(clock, 0) });
    const data = gzip(tar(files, wall));
    if (data.length > BUNDLE_LIMIT) throw new Error(`the bundle has ${data.length} octets`);
    const sha256 = hex(crypto.hash('sha256', new Uint8Array(data)));
    const names = files.map(({ name, text }) => ({ name, octets: text.length }));
    return { id: newId('rec', wall, random.bytes(10)), data, sha256, files: names };
  }
}
