/**
 * Desired and reported documents. Each document is applied whole, in the order of its versions, by whoever registered for
 * it; the last good one is kept on the disk and applied again at the next start, with or without a cloud. A document that
 * is refused changes nothing: the last good one stays.
 */
import { utf8 } from '#shared/kernel/bytes.ts';
import { err, type Result } from '#shared/kernel/result.ts';
import type { Disk, Log } from '#shared/kernel/world.ts';
import { misfit, trimmed } from '#shared/protocol/check.ts';
import { Desired, type DocumentName, documents } from '#shared/protocol/documents.ts';
import type { VerbRequest } from '#shared/protocol/verbs/index.ts';

/** Applies a document; the value is what the gateway reports about it, the fault why it cannot. */
export type Apply<D> = (document: D, version: number) => Promise<Result<unknown, string>>;

export type Report = VerbRequest<'gateway.reported'>;

/** Documents (by name) whose refusal is remembered. */
const REFUSED_LIMIT = 16;

interface Good {
  readonly version: number;
  readonly body: unknown;
}

export interface TwinOptions {
  readonly disk: Disk;
  readonly folder: string;
  readonly log: Log;
  report(report: Report): Promise<void>;
}

export class Twin {
  readonly #options: TwinOptions;
  readonly #appliers = new Map<string, Apply<never>>();
  readonly #good = new Map<string, Good>();
  /** Why the newest version of a document was refused, until a good one comes. */
  readonly #refused = new Map<string, string>();
  /** Settles when everything received so far is dealt with. */
  #order: Promise<void> = Promise.resolve();

  constructor(options: TwinOptions) {
    this.#options = options;
  }

  /** Registers the one applier of a document; before `start`. */
  on(doc: DocumentName, apply: Apply<never>): void {
    this.#appliers.set(doc, apply);
  }

  /** Versions of the documents in force. */
  get applied(): Record<string, number> {
    return Object.fromEntries([...this.#good].map(([doc, { version }]) => [doc, version]));
  }

  /** Documents whose newest version was refused, with the reason. */
  get refused(): Record<string, string> {
    return Object.fromEntries(this.#refused);
  }

  /** Applies what was good at the last run. */
  async start(): Promise<void> {
    for (const doc of this.#appliers.keys()) {
      const good = await this.#read(doc);
      if (good !== undefined) await this.#change(doc, good, false);
    }
  }

  /** Takes a document from the cloud; they are dealt with one after another. */
  receive(body: unknown): void {
    if (misfit(Desired, body) !== undefined) {
      this.#options.log.warn('twin.unreadable');
      return;
    }
    const { doc, version, body: content } = body as { doc: string; version: number; body: unknown };
    this.#order = this.#order.then(() => this.#take(doc, { version, body: content }));
  }

  /** Resolves when nothing is under way. */
  settled(): Promise<void> {
    return this.#order;
  }

  async #take(doc: string, wanted: Good): Promise<void> {
    if (wanted.version > (this.#good.get(doc)?.version ?? 0)) await this.#change(doc, wanted, true);
  }

  async #change(doc: string, wanted: Good, fresh: boolean): Promise<void> {
    const outcome = await this.#apply(doc, wanted);
    if (!outcome.ok) {
      const applied = this.#good.get(doc)?.version ?? 0;
      const error = `version ${wanted.version}: ${outcome.fault}`.slice(0, 256);
      this.#options.log.warn('twin.rejected', { doc, version: wanted.version, error });
      if (this.#refused.size < REFUSED_LIMIT) this.#refused.set(doc.slice(0, 32), error);
      await this.#options.report({ doc, applied, state: 'rejected', error, body: {} });
      return;
    }
    this.#good.set(doc, wanted);
    this.#refused.delete(doc);
    if (fresh) await this.#keep(doc, wanted);
    await this.#options.report({ doc, applied: wanted.version, state: 'applied', body: outcome.value ?? {} });
  }

  /** A document that cannot be kept is in force all the same; after a restart the cloud sends it again. */
  async #keep(doc: string, good: Good): Promise<void> {
    try {
      await this.#options.disk.write(this.#path(doc), utf8(JSON.stringify(good)));
    } catch (error) {
      this.#options.log.error('twin.disk-failed', { doc, error: String(error) });
    }
  }

  async #apply(doc: string, { version, body }: Good): Promise<Result<unknown, string>> {
    const apply = this.#appliers.get(doc);
    const schema = Object.hasOwn(documents, doc) ? documents[doc as DocumentName] : undefined;
    if (apply === undefined || schema === undefined) return err('this gateway does not know the document');
    const known = trimmed(schema, body);
    const wrong = misfit(schema, known);
    if (wrong !== undefined) return err(`${wrong.pointer ?? '/'} ${wrong.detail ?? 'is wrong'}`);
    try {
      return await apply(known as never, version);
    } catch (error) {
      this.#options.log.error('twin.applier-failed', { doc, error: String(error) });
      return err('the gateway made an error');
    }
  }

  async #read(doc: string): Promise<Good | undefined> {
    const octets = await this.#options.disk.read(this.#path(doc));
    if (octets === undefined) return undefined;
    try {
      const good = JSON.parse(new TextDecoder().decode(octets)) as Good;
      if (Number.isInteger(good.version)) return good;
    } catch {
      // Falls through: a damaged file is as good as none, the cloud sends the document again.
    }
    this.#options.log.warn('twin.damaged', { doc });
    return undefined;
  }

  #path(doc: string): string {
    return `${this.#options.folder}/desired-${doc}.json`;
  }
}
