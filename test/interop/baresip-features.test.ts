/** A real baresip holds, takes back and transfers calls by its own commands, straight at our softswitch and behind a gateway; what is heard is measured. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { realStage } from '#simulator/real-stage.ts';
import type { Stage, StageHome } from '#simulator/stage.ts';
import { tone } from '#simulator/voice.ts';
import { hasProgram } from '#test/peers.ts';
import { last, level, likeness, number, wordsOf } from '../scenario/words.ts';
import { BaresipProgram } from './baresip-program.ts';
import { freePort } from './free-port.ts';

/** Hertz: baresip, and our two phones. */
const [OURS, B, C] = [800, 617, 1450];
/** dBov. */
const [LOUD, QUIET] = [-30, -45];

let stage: Stage;
let folder: string;
let elm: StageHome;
let program: BaresipProgram;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'hearthline-baresip-'));
  stage = await realStage();
  elm = await stage.home('elm');
});
afterEach(async () => {
  await program.end();
  await stage[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
});

const { until } = wordsOf(() => stage);
const pass = (ms: number) => stage.ground.pass(ms);

describe.skipIf(!hasProgram('baresip'))('baresip', () => {
  it.each([
    ['straight at the softswitch', false],
    ['behind a gateway', true],
  ])(
    '%s holds, takes back, and transfers',
    async (_where, behind) => {
      const voice = (hertz: number) => ({ manner: 'answer', answerAfter: 100, voice: tone(hertz, 1) }) as const;
      const [b, c] = [await elm.phone(voice(B)), await elm.phone(voice(C))];
      const line = await stage.line(elm);
      await pass(500);
      const { host, port } = behind ? elm.gateway.status().sip.udp : stage.ground.sip(stage.cloud);
      const sip = { password: '', ...line.sip };
      program = new BaresipProgram(join(folder, 'phone'), {
        console: await freePort(),
        server: `${host}:${port}`,
        hertz: OURS,
        sip,
      });
      await until(() => /200 OK/.test(program.output), 'the registration');
      await program.command(`dial ${number(elm, 0)}`);
      await until(() => b.calls[0]?.state === 'up', 'the answer');
      const call = last(b);
      await pass(1_500);
      expect(level(call, OURS)).toBeGreaterThan(LOUD);

      await program.command('hold');
      await until(() => call.held, 'the hold');
      await pass(300);
      const before = call.heard().length;
      await pass(1_500);
      // Music, softly, by the gateway or by the cloud, and nothing of the phone that holds.
      expect(call.heard().length).toBeGreaterThan(before + 8_000);
      expect(likeness(call.heard(), 'music-box')).toBeGreaterThan(0.9);
      expect(level(call, OURS)).toBeLessThan(QUIET);
      await program.command('resume');
      await until(() => !call.held, 'the end of the hold');
      await pass(1_500);
      expect(level(call, OURS)).toBeGreaterThan(LOUD);

      await program.command(`transfer ${number(elm, 1)}`);
      await until(() => c.calls[0]?.state === 'up', 'the transfer');
      await pass(1_500);
      expect([call.state, last(c).state]).toEqual(['up', 'up']);
      expect(level(call, C)).toBeGreaterThan(LOUD);
      expect(level(call, OURS)).toBeLessThan(QUIET);
      expect(level(last(c), B)).toBeGreaterThan(LOUD);
      await until(() => /terminated|session closed/i.test(program.output), 'baresip to be out of it');
      call.hangup();
      await until(() => last(c).state === 'ended', 'the end');
    },
    60_000,
  );
});
