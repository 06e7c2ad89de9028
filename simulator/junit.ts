/** Reports as JUnit XML: a suite for each run, a case for each step. Pure. */
import type { Report, StepOutcome } from './run.ts';

/** The document; `wall` is when the first run began, ms. */
export function junit(reports: readonly Report[], wall: number): string {
  const suites = reports.map((report) => suite(report, new Date(wall).toISOString().slice(0, 19)));
  const sum = (count: (report: Report) => number) => reports.reduce((total, report) => total + count(report), 0);
  const attributes = counts(
    sum((report) => report.steps.length),
    sum((report) => countOf(report, 'failed')),
    sum((report) => countOf(report, 'skipped')),
  );
  const time = seconds(sum((report) => report.realMs));
  return `<?xml version="1.0" encoding="UTF-8"?>\n<testsuites name="hearthline sim" ${attributes} errors="0" time="${time}">\n${suites.join('')}</testsuites>\n`;
}

function suite(report: Report, timestamp: string): string {
  const { scenario, world, homes, seed, steps, replay, hash, warnings, measures } = report;
  const properties = Object.entries({
    world,
    homes,
    seed,
    replay,
    ...(hash === undefined ? {} : { hash }),
    ...Object.fromEntries(
      Object.entries(measures).flatMap(([name, { p50, p99, count }]) => [
        [`${name}.p50`, p50.toFixed(1)],
        [`${name}.p99`, p99.toFixed(1)],
        [`${name}.count`, count],
      ]),
    ),
  }).map(([name, value]) => `      <property name="${escaped(name)}" value="${escaped(String(value))}"/>\n`);
  const attributes = counts(steps.length, countOf(report, 'failed'), countOf(report, 'skipped'));
  return [
    `  <testsuite name="${escaped(`${scenario} (${world}, seed ${seed})`)}" ${attributes} errors="0" time="${seconds(report.realMs)}" timestamp="${timestamp}">\n`,
    `    <properties>\n${properties.join('')}    </properties>\n`,
    ...steps.map((step) => testcase(step, report)),
    ...(warnings.length === 0
      ? []
      : [`    <system-out>${escaped(warnings.map((text) => `warning: ${text}`).join('\n'))}</system-out>\n`]),
    '  </testsuite>\n',
  ].join('');
}

function testcase({ name, state, ms, failure = '' }: StepOutcome, { scenario, replay }: Report): string {
  const head = `    <testcase classname="${escaped(`hearthline.sim.${scenario}`)}" name="${escaped(name)}" time="${seconds(ms)}"`;
  if (state === 'passed') return `${head}/>\n`;
  if (state === 'skipped') return `${head}><skipped/></testcase>\n`;
  return `${head}><failure message="${escaped(failure)}">${escaped(`${failure}\n\nreplay: ${replay}`)}</failure></testcase>\n`;
}

const countOf = ({ steps }: Report, state: StepOutcome['state']) => steps.filter((step) => step.state === state).length;
const counts = (tests: number, failures: number, skipped: number) =>
  `tests="${tests}" failures="${failures}" skipped="${skipped}"`;
const seconds = (ms: number) => (ms / 1000).toFixed(3);

/** Text for XML 1.0: what the standard does not allow is left out, the rest is escaped. */
function escaped(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are the characters that XML 1.0 forbids
  const allowed = text.toWellFormed().replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g, '');
  return allowed
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll('\n', '&#10;');
}
