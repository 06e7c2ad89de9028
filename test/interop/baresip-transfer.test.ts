/** Real baresip programs behind a gateway transfer a call with a second one (REFER with Replaces, RFC 3891): who is left is heard. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { levelOf } from '#shared/rtp/measure.ts';
import { realStage } from '#simulator/real-stage.ts';
import type { Stage, StageHome } from '#simulator/stage.ts';
import { tone } from '#simulator/voice.ts';
import { hasProgram } from '#test/peers.ts';
import { last, level, wordsOf } from '../scenario/words.ts';
import { BaresipProgram } from './baresip-program.ts';
import { freePort } from './free-port.ts';

/** Hertz: who transfers, who stays in the house, and our own phone. */
const [FIRST, SECOND, FAR] = [800, 617, 1450];
/** dBov. */
const [LOUD, QUIET] = [-30, -45];

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
  for (const one of programs.splice(0)) await one.end();
  await stage[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
});

const { until } = wordsOf(() => stage);
const pass = (ms: number) => stage.ground.pass(ms);

/** A baresip for a new line of the house. */
async function baresip(hertz: number) {
  const line = await stage.line(elm);
  await pass(500);
  const { host, port } = elm.gateway.status().sip.udp;
  const [console, sip] = [await freePort(), { password: '', ...line.sip }];
  const at = join(folder, `phone-${hertz}`);
  const program = new BaresipProgram(at, { console, server: `${host}:${port}`, hertz, sip });
  programs.push(program);
  await until(() => /200 OK/.test(program.output), 'the registration');
  return { program, number: line.number };
}

describe.skipIf(!hasProgram('baresip'))('baresip behind a gateway', () => {
  it.each([
    ['in the same house', false, true],
    ['outside', true, true],
    ['outside, which it called second', true, false],
  ])(
    'hands its call to a phone %s, with which it talks',
    async (_where, outside, farFirst) => {
      const home = outside ? await stage.home('oak') : elm;
      const far = await home.phone({ answerAfter: 100, voice: tone(FAR, 1) });
      const farNumber = home.lines[0]?.number ?? '';
      const [first, second] = [await baresip(FIRST), await baresip(SECOND)];
      const called = [second.number, farNumber];
      if (farFirst) called.reverse();
      const { program } = first;
      for (const [n, number] of called.entries()) {
        await program.command(`dial ${number}`);
        await until(() => program.dialogs().length === n + 1, `the answer of ${number}`);
        await pass(500);
        if (n === 0) await program.command('hold');
        await pass(500);
      }
      const [, consulted] = program.dialogs();
      const { callId, localTag, remoteTag } = consulted ?? { callId: '', localTag: '', remoteTag: '' };
      const replaces = encodeURIComponent(`${callId};to-tag=${remoteTag};from-tag=${localTag}`);
      await program.command('line 1');
      await program.command(`transfer <sip:${called[1]}@${elm.lines[0]?.sip.domain}?Replaces=${replaces}>`);
      await until(() => program.ended() === 2, 'baresip to be out of both');
      await pass(1_500);
      const call = last(far);
      expect(call.state).toBe('up');
      expect(level(call, SECOND)).toBeGreaterThan(LOUD);
      expect(level(call, FIRST)).toBeLessThan(QUIET);
      call.hangup();
      await until(() => elm.gateway.status().voice.calls === 0, 'the end');
      await pass(300);
      // A recording of baresip's ends when it is put on hold.
      const heard = second.program.heard(500);
      if (farFirst) expect(levelOf(heard, FAR)).toBeGreaterThan(LOUD);
      if (farFirst) expect(levelOf(heard, FIRST)).toBeLessThan(QUIET);
      expect(await elm.engine.list()).toEqual([]);
    },
    60_000,
  );
});
