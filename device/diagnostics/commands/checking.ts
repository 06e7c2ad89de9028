/** `check`, `check list`, `why`. */
import { checks, groupOf } from '../checks/table.ts';
import { asked, type Exit, jsonOption, type Reply, type TechCommand, timeoutOption } from './command.ts';
import { fields, printable, wrap } from './text.ts';

type Report = Reply<'gateway.check'>;
const exits = { ok: 0, warn: 1, fail: 2 } as const;
const marks = { ok: '  ok  ', warn: ' WARN ', fail: ' FAIL ', skipped: ' skip ' } as const;

const check: TechCommand = {
  words: 'check',
  about: 'Runs the checks and names the one cause on top.',
  options: {
    quick: { kind: 'flag', about: 'without trying the network' },
    group: { kind: 'text', value: 'NAME', about: 'one group; `check list` names them' },
    id: { kind: 'text', value: 'ID', about: 'one check' },
    all: { kind: 'flag', about: 'show those that are well, too' },
    json: jsonOption,
    timeout: timeoutOption,
  },
  async run(call) {
    const { quick, group, id, all } = call.values;
    const known = (name: string) => name === id || name.startsWith(`${group}.`);
    if ((id ?? group) !== undefined && !checks.some((one) => known(one.id))) {
      call.place.error(
        `check: there is no ${id === undefined ? `group ${group}` : `check ${id}`}; \`check list\` names them.`,
      );
      return 3;
    }
    const body = {
      ...(quick === 'true' ? { quick: true } : {}),
      ...(group === undefined ? {} : { group }),
      ...(id === undefined ? {} : { check: id }),
    };
    const show = (report: Report): Exit => {
      call.place.out(reportText(report, all === 'true' || id !== undefined));
      return exits[report.result];
    };
    return asked(call, 'gateway.check', body, show, ({ result }) => exits[result]);
  },
};

/** A report for people: the root first, then what is not well, group by group. */
export function reportText(report: Report, all: boolean): string {
  const { gateway, took, counts, root, items } = report;
  const head = wrap(
    `${gateway}: ${counts.ok} ok, ${counts.warn} warnings, ${counts.fail} failed, ${counts.skipped} skipped, in ${took} ms`,
  );
  const blocks = [head];
  const first = items.find(({ id }) => id === root);
  if (first !== undefined)
    blocks.push(
      `ROOT CAUSE: ${first.id} (${first.about})\n${fields([
        ['  seen', first.evidence],
        ['  cause', first.cause],
        ['  next', first.next],
      ])}`,
    );
  const groups = [...new Set(items.map((one) => one.group))];
  for (const group of groups) {
    const shown = items.filter(
      (one) =>
        one.group === group && (all || one.result === 'fail' || one.result === 'warn' || one.because !== undefined),
    );
    if (shown.length === 0) continue;
    blocks.push(
      shown
        .map((one) => wrap(printable(one.evidence), `${marks[one.result]}${one.id.padEnd(22)} `, ' '.repeat(10)))
        .join('\n'),
    );
  }
  return blocks.join('\n\n');
}

const checkList: TechCommand = {
  words: 'check list',
  about: 'Names every check and the question it answers.',
  options: { json: jsonOption },
  async run({ place, values }) {
    const rows = checks.map(({ id, about, needs = [] }) => ({ id, group: groupOf(id), about, needs }));
    place.out(
      values.json === 'true'
        ? JSON.stringify({ items: rows })
        : rows.map(({ id, about }) => wrap(about, `${id.padEnd(24)} `)).join('\n'),
    );
    return 0;
  },
};

const why: TechCommand = {
  words: 'why',
  takes: '[line NUMBER | call ID]',
  about: 'Says in plain words why the gateway does not work, why a phone does not ring, or why a call ended.',
  options: { json: jsonOption, timeout: timeoutOption },
  async run(call) {
    const [about = 'gateway', subject] = call.words;
    if (about !== 'gateway' && about !== 'line' && about !== 'call') {
      call.place.error('why: ask `why`, `why line NUMBER` or `why call ID`.');
      return 3;
    }
    if (about !== 'gateway' && subject === undefined) {
      call.place.error(`why: say which ${about}.`);
      return 3;
    }
    const code = ({ certain, check: id }: Reply<'gateway.why'>): Exit => (!certain ? 1 : id === undefined ? 0 : 2);
    const body = { about, ...(subject === undefined ? {} : { subject }) } as const;
    return asked(
      call,
      'gateway.why',
      body,
      (reply) => {
        call.place.out(wrap(printable(reply.answer)));
        const seen = reply.evidence.map((one, i): [string, string] => [i === 0 ? '  seen' : '      ', one]);
        call.place.out(fields([...seen, ['  next', reply.next]]));
        return code(reply);
      },
      code,
    );
  },
};

export const checkingCommands: readonly TechCommand[] = [check, checkList, why];
