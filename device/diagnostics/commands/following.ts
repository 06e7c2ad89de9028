/** `logs`, `call list`, `call trace`. */
import {
  ask,
  asked,
  type Call,
  type Exit,
  jsonOption,
  type Reply,
  type TechCommand,
  timeoutOption,
  told,
} from './command.ts';
import { ladder } from './ladder.ts';
import { printable, time, wrap } from './text.ts';

type Line = Reply<'gateway.logs'>['items'][number];

const UNITS: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };
/** Milliseconds between looks of `logs --follow`. */
const FOLLOW_EVERY = 1_000;

/** `90s`, `10m`, `2h`, `1d` before now, or a date; undefined where it is neither. */
export function readSince(text: string, now: number): number | undefined {
  const match = /^([0-9]{1,6})([smhd])$/.exec(text);
  if (match !== null) return Math.max(0, Math.floor(now - Number(match[1]) * (UNITS[match[2] ?? 's'] ?? 0)));
  const at = Date.parse(text);
  return Number.isFinite(at) && at >= 0 ? Math.floor(at) : undefined;
}

function lineText({ at, level, event, fields }: Line): string {
  const rest = Object.entries(fields).map(([name, value]) => `${name}=${value}`);
  return wrap(printable(`${time(at).slice(5, 19)} ${level.padEnd(5)} ${[event, ...rest].join(' ')}`), '', '    ');
}

const logs: TechCommand = {
  words: 'logs',
  about: 'The gateway’s log, kept across restarts.',
  options: {
    follow: { kind: 'flag', about: 'go on as lines come (-f)' },
    call: { kind: 'text', value: 'ID', about: 'lines of one call' },
    since: { kind: 'text', value: 'WHEN', about: '90s, 10m, 2h, 1d, or a date' },
    level: { kind: 'text', value: 'LEVEL', about: 'info, warn or error, and worse' },
    limit: { kind: 'number', value: 'N', about: 'lines at the most', fallback: '100' },
    json: jsonOption,
    timeout: timeoutOption,
  },
  async run(call) {
    const { place, values } = call;
    const { level, call: id } = values;
    const since = values.since === undefined ? undefined : readSince(values.since, place.wall());
    if (values.since !== undefined && since === undefined) {
      place.error(`logs: --since ${values.since}: is 90s, 10m, 2h, 1d or a date.`);
      return 3;
    }
    if (level !== undefined && level !== 'info' && level !== 'warn' && level !== 'error') {
      place.error(`logs: --level ${level}: is info, warn or error.`);
      return 3;
    }
    const wanted = {
      ...(since === undefined ? {} : { since }),
      ...(id === undefined ? {} : { call: id }),
      ...(level === undefined ? {} : { level }),
    };
    return page(call, wanted, Math.min(200, Math.max(1, Number(values.limit ?? 100))));
  },
};

async function page(call: Call, wanted: object, limit: number): Promise<Exit> {
  const { place, values } = call;
  for (let after: number | undefined; ; ) {
    const outcome = await ask(place, values, 'gateway.logs', {
      ...wanted,
      limit,
      ...(after === undefined ? {} : { after }),
    });
    if (!outcome.ok) return told(place, outcome.fault);
    const { items, last } = outcome.value;
    for (const item of items) place.out(values.json === 'true' ? JSON.stringify(item) : lineText(item));
    after = Math.max(last, after ?? 0);
    if (values.follow !== 'true' || !(await place.pause(FOLLOW_EVERY))) return 0;
  }
}

const callList: TechCommand = {
  words: 'call list',
  about: 'The calls that the gateway remembers, newest first.',
  options: { json: jsonOption, timeout: timeoutOption },
  run: (call) =>
    asked(call, 'gateway.calls', {}, ({ items }) => {
      const rows = items.map(({ id, from, to, startedAt, answeredAt, endedAt, reason }) => {
        const talk =
          answeredAt === undefined ? '' : ` ${Math.round(((endedAt ?? call.place.wall()) - answeredAt) / 1000)} s`;
        return wrap(
          printable(
            `${time(startedAt).slice(5, 19)} ${id.padEnd(14)} ${from} -> ${to}${talk} ${reason ?? (answeredAt === undefined ? 'ringing' : 'up')}`,
          ),
          '',
          '    ',
        );
      });
      call.place.out(rows.length === 0 ? 'no calls yet' : rows.join('\n'));
      return 0;
    }),
};

const callTrace: TechCommand = {
  words: 'call trace',
  takes: 'ID',
  about: 'One call message by message, as a ladder; a session (ses_…) as the softswitch saw it; secrets are masked.',
  options: { full: { kind: 'flag', about: 'every message whole' }, json: jsonOption, timeout: timeoutOption },
  async run(call) {
    const [id] = call.words;
    if (id === undefined) {
      call.place.error('call trace: give the id that `call list` shows, or a SIP Call-ID.');
      return 3;
    }
    // A session of the cloud is told by the softswitch; a gateway alone knows none.
    if (id.startsWith('ses_')) return sessionTrace(call, id);
    return asked(call, 'gateway.trace', { call: id }, (trace) => {
      call.place.out(ladder(trace, call.values.full === 'true'));
      return 0;
    });
  },
};

async function sessionTrace({ place, values }: Call, session: string): Promise<Exit> {
  const outcome = await place.channel.ask('session.trace', { session }, Number(values.timeout ?? 15) * 1000);
  if (!outcome.ok) return told(place, outcome.fault);
  const trace = outcome.value as Reply<'gateway.trace'>;
  place.out(values.json === 'true' ? JSON.stringify(trace) : ladder(trace, values.full === 'true', 'softswitch'));
  return 0;
}

export const followingCommands: readonly TechCommand[] = [logs, callList, callTrace];
