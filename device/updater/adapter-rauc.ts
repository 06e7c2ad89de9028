/** The board of an image: asks the update helper, which runs as root, over its socket. */
import { connect } from 'node:net';
import { err, ok, type Result } from '#shared/kernel/result.ts';
import type { Clock } from '#shared/kernel/world.ts';
import type { Fault } from '#shared/protocol/fault.ts';
import type { Board, BoardFacts, BundleFacts, Refusal, Wreck } from './board.ts';

/** Milliseconds until an order counts as lost; RAUC may be asked several times for one. */
const QUICK = 500_000;
const INSTALL = 26 * 60_000;

export function raucBoard(clock: Clock, socket: string): Board {
  const ask = (verb: string, body: object, timeout = QUICK) => order(clock, socket, verb, body, timeout);
  const done = async (verb: string, body: object = {}, timeout?: number): Promise<Result<void, Refusal>> => {
    const answer = await ask(verb, body, timeout);
    return answer.ok ? ok(undefined) : answer;
  };
  return {
    facts: async () => (await ask('status', {})) as Result<BoardFacts, Refusal>,
    inspect: async (file) => (await ask('inspect', { file }, INSTALL)) as Result<BundleFacts, Refusal>,
    install: (_file, { sha256 }) => done('install', { sha256 }, INSTALL),
    markGood: () => done('mark-good'),
    markBad: () => done('mark-bad'),
    reboot: () => done('reboot'),
    async wreck(slot, after) {
      const answer = await ask('wreck', { slot, after });
      return answer.ok ? (answer.value as Wreck) : undefined;
    },
    async reached(stage) {
      await ask('reached', { stage });
    },
  };
}

/** One question, one line of answer. */
function order(
  clock: Clock,
  path: string,
  verb: string,
  body: object,
  timeout: number,
): Promise<Result<unknown, Refusal>> {
  return new Promise((resolve) => {
    let text = '';
    const lost = (detail: string) => resolve(err({ code: 'update_not_possible', detail }));
    const socket = connect(path, () => socket.write(`${JSON.stringify({ verb, body })}\n`));
    const timer = clock.at(clock.mono() + timeout, () => socket.destroy());
    socket.setEncoding('utf8');
    socket.on('data', (data: string) => {
      text += data;
      if (text.endsWith('\n')) socket.end();
    });
    socket.on('error', (error) => lost(`The update helper cannot be asked: ${error.message}`));
    socket.on('close', () => {
      timer.cancel();
      if (!text.endsWith('\n')) return lost('The update helper did not answer.');
      const { value, fault } = JSON.parse(text) as { value?: unknown; fault?: Fault };
      resolve(fault === undefined ? ok(value) : err(fault));
    });
  });
}
