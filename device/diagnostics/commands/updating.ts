/** `ota status`, `ota history`, `ota install`, `ota stop`: the gateway's systems and updates. */
import { type FaultCode, faults } from '#shared/protocol/fault.ts';
import {
  asked,
  type Call,
  type Exit,
  jsonOption,
  type Reply,
  type TechCommand,
  timeoutOption,
  told,
} from './command.ts';
import { fields, printable, time, wrap } from './text.ts';

const options = { json: jsonOption, timeout: timeoutOption };
type Status = Reply<'gateway.update'>;
type Report = Status['history'][number];

const health = ({ possible, good, state }: Status): Exit => (!possible || good === true || state === 'idle' ? 0 : 1);
const mega = (octets: number): string => `${(octets / 1e6).toFixed(1)} MB`;

function progress({ state, wanted, octets, size }: Status): string {
  const of = size === undefined || octets === undefined ? '' : `, ${mega(octets)} of ${mega(size)}`;
  return `${state}${wanted === undefined ? '' : ` ${wanted}`}${of}`;
}

const status: TechCommand = {
  words: 'ota status',
  about: 'The gateway’s two systems and the update under way.',
  options,
  run: (call) =>
    asked(
      call,
      'gateway.update',
      {},
      (reply) => {
        if (!reply.possible) {
          call.place.out(`${faults.update_not_possible.title}.\nNext: ${faults.update_not_possible.next}`);
          return 0;
        }
        const [last] = reply.history;
        call.place.out(
          fields([
            ['board', reply.board],
            [
              'system',
              `${reply.version} in slot ${reply.slot}, ${reply.good === true ? 'proved good' : 'not yet proved'}`,
            ],
            ['floor', reply.floor === undefined ? undefined : `${reply.floor}; nothing older is taken`],
            ['update', progress(reply)],
            ['job', reply.job],
            ['last', last === undefined ? 'none yet' : line(last)],
            ...reply.found.map((file, i): [string, string] => [i === 0 ? 'sticks' : '', file]),
          ]),
        );
        return health(reply);
      },
      health,
    ),
};

function line({ at, state, from, version, reason }: Report): string {
  const way = `${from ?? '?'} -> ${version ?? '?'}`;
  return `${time(at)} ${way} ${state}${reason === undefined ? '' : ` (${reason})`}`;
}

/** One update with the reason in plain words. */
function story(report: Report): string {
  const { reason = '', text, stage, attempts, lines = [] } = report;
  const known = Object.hasOwn(faults, reason) ? faults[reason as FaultCode] : undefined;
  const starts = attempts === undefined ? '' : `, ${attempts} starts`;
  return [
    line(report),
    ...(known === undefined ? [] : [`  ${known.title}.`, `  Next: ${known.next}`]),
    ...(text === undefined ? [] : [`  ${text}`]),
    ...(stage === undefined ? [] : [`  it came as far as: ${stage}${starts}`]),
    ...lines.map((one) => `  | ${one}`),
  ]
    .map((one) => wrap(printable(one), '', '    '))
    .join('\n');
}

const history: TechCommand = {
  words: 'ota history',
  about: 'The updates of this gateway, newest first, with why one failed.',
  options,
  run: (call) =>
    asked(call, 'gateway.update', {}, (reply) => {
      call.place.out(reply.history.length === 0 ? 'no updates yet' : reply.history.map(story).join('\n'));
      return 0;
    }),
};

const install: TechCommand = {
  words: 'ota install',
  takes: 'FILE|URL',
  about: 'Installs a bundle from a file on the gateway, a mounted stick or a URL (on the gateway itself).',
  options: {
    ...options,
    version: { kind: 'text', value: 'X.Y.Z', about: 'refuse any other version' },
    sha256: { kind: 'text', value: 'HEX', about: 'refuse any other file' },
  },
  async run(call) {
    const { place, words, values } = call;
    const [source = ''] = words;
    const where = /^https?:\/\//.test(source) ? { url: source } : source.startsWith('/') ? { file: source } : undefined;
    if (where === undefined) {
      place.error('ota install: give the whole path of a bundle (`ota status` lists those on sticks), or its URL.');
      return 3;
    }
    const job = `local-${Math.floor(place.wall())}`;
    const { version, sha256 } = values;
    const more = { ...(version === undefined ? {} : { version }), ...(sha256 === undefined ? {} : { sha256 }) };
    return ordered(
      call,
      'update.start',
      { job, ...where, ...more },
      `begun as ${job}; \`ota status\` shows how it fares`,
    );
  },
};

const stop: TechCommand = {
  words: 'ota stop',
  takes: 'JOB',
  about: 'Stops an update that is not yet installed (`ota status` names it).',
  options,
  async run(call) {
    const [job] = call.words;
    if (job !== undefined) return ordered(call, 'update.stop', { job }, `${job} is stopped`);
    call.place.error('ota stop: name the update; `ota status` shows the one under way.');
    return 3;
  },
};

/** Gives the order, and says `done`; 1 where there was nothing to stop. */
async function ordered({ place, values }: Call, verb: string, body: object, done: string): Promise<Exit> {
  const outcome = await place.channel.ask(verb, body, Math.max(1, Number(values.timeout ?? 15)) * 1000);
  if (!outcome.ok) return told(place, outcome.fault);
  const idle = (outcome.value as { stopped?: boolean }).stopped === false;
  const words = idle
    ? 'nothing was stopped: no such update is under way, or it is installed; `ota status` shows it'
    : done;
  place.out(values.json === 'true' ? JSON.stringify({ ...body, ...(outcome.value as object) }) : wrap(words));
  return idle ? 1 : 0;
}

export const updatingCommands: readonly TechCommand[] = [status, history, install, stop];
