/** Two real baresips at our softswitch: one puts the other on hold, and the other says itself what it is sent meanwhile. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { levelOf } from '#shared/rtp/measure.ts';
import { realStage } from '#simulator/real-stage.ts';
import type { Stage, StageHome } from '#simulator/stage.ts';
import { hasProgram } from '#test/peers.ts';
import { wordsOf } from '../scenario/words.ts';
import { BaresipProgram } from './baresip-program.ts';
import { freePort } from './free-port.ts';

/** Hertz of the two. */
const [A, B] = [800, 617];

let stage: Stage;
let folder: string;
let elm: StageHome;
const programs: BaresipProgram[] = [];

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'hearthline-baresip-'));
  stage = await realStage();
  elm = await stage.home('elm');
});
afterEach(async () => {
  for (const program of programs.splice(0)) await program.end();
  await stage[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
});

const { until } = wordsOf(() => stage);

/** Bits per second that it sends and gets, as it told last. */
function rates({ output }: BaresipProgram): { sent: number; got: number } {
  const [, sent = 0, got = 0] = [...output.matchAll(/audio=(\d+)\/(\d+) \(bit\/s\)/g)].at(-1) ?? [];
  return { sent: Number(sent), got: Number(got) };
}

describe.skipIf(!hasProgram('baresip'))('two baresips', () => {
  it('one holds: the other is sent sound all the while, and says nothing; then they talk on', async () => {
    const [first, second] = [await stage.line(elm), await stage.line(elm)];
    const { host, port } = stage.ground.sip(stage.cloud);
    const start = async (name: string, line: typeof first, hertz: number) => {
      const sip = { password: '', ...line.sip };
      const server = `${host}:${port}`;
      const program = new BaresipProgram(join(folder, name), { console: await freePort(), server, hertz, sip });
      programs.push(program);
      await until(() => /200 OK/.test(program.output), 'the registration');
      return program;
    };
    const [a, b] = [await start('a', first, A), await start('b', second, B)];
    await a.command(`dial ${second.number}`);
    await until(() => /Call established/i.test(a.output), 'the answer');
    await stage.ground.pass(2_000);
    await a.command('hold');
    await until(() => /a=recvonly/.test(b.output), 'the hold');
    // Its recording ends where its sound changes; what it counts goes on.
    expect(levelOf(b.heard(1_000), A)).toBeGreaterThan(-30);
    const whole = 8 * 8_000;
    // Each tells now and then what the last seconds were: what it said of the time before the hold may stand for a while.
    const isHeld = () => rates(b).sent === 0 && rates(b).got > 0.9 * whole && rates(a).got < 0.1 * whole;
    await until(isHeld, 'music for the held one alone');
    await a.command('resume');
    await until(() => [a, b].every((one) => rates(one).sent > 0.9 * whole && rates(one).got > 0.9 * whole), 'the talk');
    await b.command('hangup');
    await until(() => /terminated|session closed/i.test(a.output), 'the end');
  }, 60_000);
});
