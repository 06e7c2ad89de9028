/** A third-party program takes the place of a phone in its call, or a call that rings there, by INVITE with Replaces (RFC 3891): SIPp. */
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Phone } from '#simulator/phone.ts';
import { hasProgram } from '#test/peers.ts';
import { type Line, LoopbackCloud } from './loopback-cloud.ts';

let rig: LoopbackCloud;
/** Two lines of one home, whose second is SIPp’s, and one of another. */
let lines: [Line, Line, Line];
let alice: Phone;
let bob: Phone;

beforeEach(async () => {
  rig = await LoopbackCloud.start({});
  const [home, other] = [await rig.ask('home.create', { name: 'Elm' }), await rig.ask('home.create', { name: 'Oak' })];
  lines = [await rig.line(home.id), await rig.line(home.id), await rig.line(other.id)];
  [bob, alice] = [await phone(lines[0]), await phone(lines[2])];
});
afterEach(() => rig.stop());

const phone = (of: Line): Promise<Phone> => rig.phone(of, { manner: 'ring' });

/** Runs the scenario with that dialog; its exit code and what it said. */
async function takesOver(replaces: string): Promise<string> {
  const { sip, number } = lines[1];
  const server = `127.0.0.1:${rig.cloud.config.bound.sipUdp?.port}`;
  const words = ['-sf', join(import.meta.dirname, 'sipp', 'take-over.xml'), '-s', number, '-m', '1', '-nostdin'];
  const keys = ['-key', 'user', sip.username, '-key', 'domain', sip.domain, '-key', 'replaces', replaces];
  const login = ['-au', sip.username, '-ap', sip.password ?? '', '-timeout', '15s', '-timeout_error'];
  const at = ['-i', '127.0.0.1', '-mi', '127.0.0.1'];
  const { code, output } = await rig.run('sipp', [server, ...words, ...keys, ...login, ...at]);
  return `${code}${code === 0 ? '' : output}`;
}

const nameOf = (of: Phone, mine: boolean): string => {
  const { callId, localTag, remoteTag } = of.dialogOf(of.calls[0] as NonNullable<(typeof of.calls)[0]>);
  const [to, from] = mine ? [localTag, remoteTag] : [remoteTag, localTag];
  return `${callId};to-tag=${to};from-tag=${from}`;
};

describe.skipIf(!hasProgram('sipp'))('SIPp', () => {
  it('takes the place of a phone in its call', async () => {
    const call = await alice.dial(lines[0].number);
    await rig.until(() => bob.calls[0]?.state === 'ringing', 'ringing');
    bob.calls[0]?.answer();
    await rig.until(() => call.state === 'up', 'the answer');
    await rig.until(() => alice.dialogOf(call).remoteTag !== undefined, 'the dialog');
    const done = takesOver(nameOf(bob, false));
    await rig.until(() => bob.calls[0]?.state === 'ended', 'BYE to the phone that is replaced');
    expect(call.state).toBe('up');
    expect(await done).toBe('0');
    await rig.until(() => call.state === 'ended', 'the end');
  }, 40_000);

  it('picks up a call that rings', async () => {
    const call = await alice.dial(lines[0].number);
    await rig.until(() => bob.calls[0]?.state === 'ringing' && call.progress.includes(180), 'ringing');
    const done = takesOver(`${nameOf(bob, true)};early-only`);
    await rig.until(() => call.state === 'up' && bob.calls[0]?.state === 'ended', 'the answer');
    expect(await done).toBe('0');
    await rig.until(() => call.state === 'ended', 'the end');
  }, 40_000);
});
