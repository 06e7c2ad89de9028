/** What RAUC, the journal and the stage log of the image say, read with care. Pure. */
import type { FaultCode } from '#shared/protocol/fault.ts';
import type { BundleFacts, Refusal, Slot, Stage, Wreck } from './board.ts';

/** What the message bus says when RAUC's service took too long. */
const SLOW = /timeout was reached|did not receive a reply/i;
/** RAUC's words (1.8 to 1.13) and what they mean; the first that fits. */
const WORDS: readonly (readonly [RegExp, FaultCode])[] = [
  [/has expired|not yet valid/i, 'update_expired'],
  [/signature verification failed|signer cert|verify error|no signature/i, 'update_untrusted'],
  [/compatible mismatch|does not match.*compatible|compatible.*does not match/i, 'update_wrong_board'],
  [/no space left|not enough space/i, 'update_no_room'],
  [
    /invalid bundle format|signature size|exceeds bundle|corrupt|input\/output error|failed to (?:load|read|open) manifest|checksum|unsupported bundle/i,
    'update_damaged',
  ],
  [/no such file/i, 'update_not_found'],
  // The board has two systems: it only does not answer now.
  [SLOW, 'update_install_failed'],
];
const DETAIL = 300;

/** Why RAUC would not, from what it wrote; `otherwise` where nothing is known. */
export function refusalIn(text: string, otherwise: FaultCode): Refusal {
  const code = WORDS.find(([pattern]) => pattern.test(text))?.[1] ?? otherwise;
  const lines = text.split('\n').map((line) => line.trim());
  const last = lines.filter((line) => line !== '' && !line.startsWith('rauc-Message')).at(-1);
  return last === undefined ? { code } : { code, detail: last.slice(0, DETAIL) };
}

/** Whether it was only too slow: the same question may get its answer. */
export const isSlow = (text: string): boolean => SLOW.test(text);

/** `rauc info --output-format=json`; undefined where it is none. */
export function readInfo(text: string): Pick<BundleFacts, 'version' | 'board'> | undefined {
  const value = parse(text);
  if (value === undefined) return undefined;
  const { version, compatible } = value;
  return typeof version === 'string' && typeof compatible === 'string' ? { version, board: compatible } : undefined;
}

/** `rauc status --output-format=json`: the board and the slot that runs. */
export function readStatus(text: string): { readonly board: string; readonly slot: Slot } | undefined {
  const value = parse(text);
  if (value === undefined) return undefined;
  const { compatible, booted, slots } = value;
  if (typeof compatible !== 'string') return undefined;
  const running = booted === 'A' || booted === 'B' ? booted : runningOf(slots);
  return running === undefined ? undefined : { board: compatible, slot: running };
}

/** Some versions name the running slot only by its state. */
function runningOf(slots: unknown): Slot | undefined {
  if (!Array.isArray(slots)) return undefined;
  for (const entry of slots as unknown[]) {
    if (typeof entry !== 'object' || entry === null) continue;
    for (const slot of Object.values(entry) as unknown[]) {
      const { state, bootname } = (slot ?? {}) as { state?: unknown; bootname?: unknown };
      if (state === 'booted' && (bootname === 'A' || bootname === 'B')) return bootname;
    }
  }
  return undefined;
}

/** `/etc/hearthline/image.json`: the version of the running system. */
export function readImage(text: string): string | undefined {
  const version = parse(text)?.version;
  return typeof version === 'string' && /^\d{1,6}\.\d{1,6}\.\d{1,6}$/.test(version) ? version : undefined;
}

/** Lines that a report holds, and the agent's unit. */
const LINES = 50;
const AGENT = 'hearthline.service';
const STAGES: readonly Stage[] = ['none', 'kernel', 'init', 'agent', 'session'];

/**
 * The stage log of a slot, lines `ATTEMPT STAGE UPTIME`, and the journal of its last start (JSON lines). Lines of the start `after`,
 * with which the update was installed, are not those of the failed one.
 */
export function readWreck(stageLog: string, journal: string, after: string): Wreck {
  const marks = stageLog.split('\n').flatMap((line) => {
    const match = /^(\d{1,3}) (kernel|init|agent|session)\b/.exec(line);
    return match === null ? [] : [{ attempt: Number(match[1]), stage: match[2] as Stage }];
  });
  const attempts = Math.max(0, ...marks.map(({ attempt }) => attempt));
  const best = Math.max(
    0,
    ...marks.filter(({ attempt }) => attempt === attempts).map(({ stage }) => STAGES.indexOf(stage)),
  );
  const other = after.replaceAll('-', '');
  const entries = journal.split('\n').flatMap((line) => {
    const entry = parse(line);
    const message = entry?.MESSAGE;
    return typeof message === 'string' && entry?._BOOT_ID !== other
      ? [{ text: message.replace(/\p{Cc}/gu, ' ').slice(0, 200), telling: isTelling(entry) }]
      : [];
  });
  return { stage: STAGES[best] ?? 'none', attempts, lines: lastOf(entries).map(({ text }) => text) };
}

/** Warnings and worse, and whatever is by or about the agent: a restart's many farewells must not push them out. */
function isTelling({ PRIORITY, UNIT, _SYSTEMD_UNIT }: Record<string, unknown> = {}): boolean {
  return /^[0-4]$/.test(String(PRIORITY)) || UNIT === AGENT || _SYSTEMD_UNIT === AGENT;
}

/** The newest entries, at most `LINES`, the telling ones before all others; oldest first. */
function lastOf<Entry extends { readonly telling: boolean }>(entries: readonly Entry[]): Entry[] {
  const told = entries.filter(({ telling }) => telling).slice(-LINES);
  const rest = entries.filter(({ telling }) => !telling).slice(Math.min(0, told.length - LINES) || entries.length);
  const kept = new Set([...told, ...rest]);
  return entries.filter((entry) => kept.has(entry));
}

function parse(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}
