/** `hearthline-status.txt`: the gateway's answer on the boot partition. It holds no secret, and no pairing code. Pure. */
import { SETTINGS_FILE } from '#shared/protocol/image-settings.ts';
import type { Decision } from './decide.ts';
import { STAGES, type StageRow } from './stages.ts';

/** What the setup of this start has found and done; kept until the next one. */
export interface SetupReport {
  /** Of the image, with its slot. */
  readonly version: string;
  readonly source: Decision['source'];
  readonly problems: readonly string[];
  readonly notes: readonly string[];
  /** What is in force, in words. */
  readonly applied: readonly string[];
  /** What went wrong on the way, in words. */
  readonly faults: readonly string[];
}

/** What the agent has told since. */
export interface StageReport {
  readonly gateway: string;
  readonly rows: readonly StageRow[];
  readonly addresses: readonly string[];
}

const sources: Readonly<Record<Decision['source'], string>> = {
  file: `${SETTINGS_FILE} is in force.`,
  imager: `No ${SETTINGS_FILE}; what Raspberry Pi Imager wrote is in force.`,
  kept: 'The settings of an earlier start are in force.',
  nothing: 'The defaults are in force.',
};

const marks: Readonly<Record<StageRow['is'], string>> = { done: 'done', now: 'HERE', missing: 'without', later: '' };

/** The text, with line ends that every editor shows. */
export function statusText(report: SetupReport, stages: StageReport | undefined): string {
  const lines = [
    `Hearthline gateway${stages === undefined ? '' : ` ${stages.gateway}`}, image ${report.version}`,
    '',
    ...(report.problems.length === 0
      ? []
      : [`${SETTINGS_FILE} has mistakes and was NOT used:`, ...report.problems.map((problem) => `  ${problem}`), '']),
    sources[report.source],
    ...report.applied.map((line) => `  ${line}`),
    ...report.notes.map((note) => `Note: ${note}`),
    ...report.faults.map((fault) => `Fault: ${fault}`),
    '',
    ...stageLines(stages?.rows),
    ...(stages === undefined || stages.addresses.length === 0 ? [] : ['', `Addresses: ${stages.addresses.join(', ')}`]),
  ];
  return `${lines.join('\r\n')}\r\n`;
}

function stageLines(rows: readonly StageRow[] | undefined): string[] {
  if (rows === undefined) return ['The gateway has just started.'];
  return rows.flatMap(({ stage, is, text, next }) => [
    `${STAGES.indexOf(stage) + 1} ${stage.padEnd(8)} ${marks[is].padEnd(7)} ${is === 'later' ? '' : text}`.trimEnd(),
    ...(next === undefined ? [] : [`           Next: ${next}`]),
  ]);
}
