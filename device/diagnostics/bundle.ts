/**
 * The support bundle: what a person far away needs, without a secret in it. It is made of answers of the gateway and of its log, never
 * of copies of its files; settings are shown by a list of harmless names.
 */
import { utf8 } from '#shared/kernel/bytes.ts';
import type { CallFacts, TraceReply } from './call-book.ts';
import type { LogEntry } from './log-book.ts';
import type { Redactor } from './redact.ts';
import type { TarFile } from './tar.ts';

/** Octets of a bundle, compressed. */
export const BUNDLE_LIMIT = 5 * 1024 * 1024;
/** Octets of one file in it before compression; of what is longer, the newest part stays. */
const FILE_LIMIT = 2 * 1024 * 1024;

/** Lines that are redacted in one go. */
const AT_ONCE = 50;

export interface BundleInput {
  readonly gateway: string;
  readonly version: string;
  /** Wall clock, ms. */
  readonly wall: number;
  readonly answers: Readonly<Record<string, unknown>>;
  /** Documents in force, by name. */
  readonly documents: Readonly<Record<string, unknown>>;
  readonly log: readonly LogEntry[];
  readonly calls: readonly CallFacts[];
  readonly traces: readonly TraceReply[];
  readonly redactor: Redactor;
  /** Lets others run: redaction is long work on a small board, and calls must not wait for it. */
  readonly pause: () => Promise<void>;
}

/** The files of the bundle, `manifest.json` first. */
export async function bundleFiles(input: BundleInput): Promise<TarFile[]> {
  const { redactor, answers } = input;
  const json = (value: unknown) => `${JSON.stringify(value, undefined, 1)}\n`;
  const files: TarFile[] = Object.entries(answers).map(([name, value]) => ({
    name: `${name}.json`,
    text: json(redactor.value(value)),
  }));
  files.push({ name: 'documents.json', text: json(redactor.value(shownSettings(input.documents))) });
  files.push({ name: 'calls.json', text: json(redactor.value(input.calls)) });
  const log = await each(input.log, input.pause, (entry) => `${JSON.stringify(shownEntry(entry, redactor))}\n`);
  files.push({ name: 'log.jsonl', text: newest(log) });
  for (const { call, items } of input.traces) {
    const lines = await each(items, input.pause, (line) => traceText(line, redactor));
    files.push({ name: `calls/${call.replace(/[^\w.-]/g, '_').slice(0, 80)}.txt`, text: newest(lines) });
  }
  const manifest = {
    gateway: input.gateway,
    version: input.version,
    made: new Date(input.wall).toISOString(),
    redaction:
      'keys, passwords, digests, message contents and unknown fields are hidden; numbers and hardware addresses carry names that are the same throughout this bundle',
    files: files.map(({ name, text }) => ({ name, octets: utf8(text).length })),
  };
  return [{ name: 'manifest.json', text: json(manifest) }, ...files];
}

const shownEntry = ({ n, at, level, event, fields }: LogEntry, redactor: Redactor) => ({
  n,
  at: new Date(at).toISOString(),
  level,
  event: redactor.text(event),
  fields: redactor.fields(fields),
});

function traceText({ at, kind, peer, summary, text }: TraceReply['items'][number], redactor: Redactor): string {
  const message = text === '' ? '' : `${redactor.text(text).replace(/^/gm, '    ')}\n`;
  return `${new Date(at).toISOString()} ${kind} ${peer} ${redactor.text(summary)}\n${message}`;
}

/** Maps a long list with pauses between. */
async function each<T>(list: readonly T[], pause: () => Promise<void>, map: (one: T) => string): Promise<string[]> {
  const texts: string[] = [];
  for (const [i, one] of list.entries()) {
    if (i % AT_ONCE === AT_ONCE - 1) await pause();
    texts.push(map(one));
  }
  return texts;
}

function newest(lines: readonly string[]): string {
  let octets = 0;
  let first = lines.length;
  while (first > 0 && octets + (lines[first - 1]?.length ?? 0) <= FILE_LIMIT) octets += lines[--first]?.length ?? 0;
  return lines.slice(first).join('');
}

/** Settings whose values are shown. */
const SETTINGS = new Set([
  'domain',
  'sips',
  'lines',
  'id',
  'number',
  'username',
  'kind',
  'home',
  'reportEvery',
  'version',
  'body',
  'voice',
  'system',
]);

/** A document with every value hidden whose name is not on the list. */
export function shownSettings(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(shownSettings);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, one]) => [
      name.slice(0, 32),
      SETTINGS.has(name) ? shownSettings(one) : '(hidden)',
    ]),
  );
}
