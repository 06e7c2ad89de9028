import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Claimed, Fleet } from '#cloud/bus/fleet.ts';
import { openLocalStore } from '#cloud/store/local.ts';
import { type Store, sql } from '#cloud/store/store.ts';
import type { SipMessage } from '#shared/sip/message.ts';
import { parse } from '#shared/sip/parse.ts';
import type { Flow } from '#shared/sip/types.ts';
import { VirtualWorld } from '#simulator/world.ts';
import { isForeign } from './foreign.ts';
import { CLAIMS, Mates } from './mates.ts';

const [A, B] = ['0-aaaaaaaa', '1-bbbbbbbb'];
const FLOW: Flow = {
  ...{ id: 'tcp7', protocol: 'tcp', peer: { kind: 'none' } },
  ...{ local: { host: '10.0.0.1', port: 5060 }, remote: { host: '10.0.0.9', port: 4711 } },
};

let world: VirtualWorld;
let store: Store;
let alive: string[];
let claimed: (callId: string) => Claimed;
let asked: string[];
let done: string[];
let said: { to: string; word: unknown }[];
let hear: (from: string, word: unknown) => void;
let mates: Mates;

beforeEach(() => {
  world = new VirtualWorld({ seed: 1 });
  store = openLocalStore(':memory:');
  alive = [A, B];
  [asked, done, said] = [[], [], []];
  claimed = () => ({});
  const fleet: Fleet = {
    ...{ owner: A, index: 0, alive: () => alive, onChange: () => {}, onGiven: () => {}, inherit: async () => {} },
    ...{ linked: true, lease: async () => 0, gave: () => {}, onRecall: () => {} },
    send: (to, word) => said.push({ to, word }),
    onMessage: (handler) => {
      hear = handler;
    },
    where: async () => ({}),
    claim: async (callId) => {
      asked.push(callId);
      return claimed(callId);
    },
  };
  mates = new Mates({
    ...{ fleet, store, log: world.host('cloud', ['10.0.0.1']).log },
    transport: () => ({
      // A message that nobody takes comes back to `stray`, as the endpoint does it.
      take: (text, flow) => void done.push(`${mates.stray(message(text), flow, text) ? 'held' : 'taken'} ${flow.id}`),
      pass: (flow, text) => void done.push(`passed ${flow.id} ${text.slice(0, 3)}`),
    }),
    restore: async (calls) => void done.push(`restored ${calls.join()}`),
    cameBack: (gateway, flow) => void done.push(`${gateway} ${flow.id}`),
    changed: (line) => void done.push(`changed ${line}`),
    heard: (from, word) => void done.push(`${from} ${word.do}`),
  });
});
afterEach(() => world[Symbol.dispose]());

const text = (start: string, callId: string, branch = 'z9hG4bKx') =>
  `${start}\r\nVia: SIP/2.0/TCP 10.0.0.9;branch=${branch}\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:c@d>;tag=2\r\nCall-ID: ${callId}\r\nCSeq: 2 BYE\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n`;
const bye = (callId: string) => text('BYE sip:hearthline@10.0.0.1 SIP/2.0', callId);
function message(raw: string): SipMessage {
  const parsed = parse(raw);
  if (parsed.message === undefined) throw new Error('no message');
  return parsed.message;
}
const stray = (raw: string, flow = FLOW) => mates.stray(message(raw), flow, raw);
const row = (callId: string, owner: string) =>
  store.commit([
    sql(
      "INSERT INTO channel (call, session, body, owner, call_id) VALUES (?, 's', '', ?, ?)",
      `chn ${callId}`,
      owner,
      callId,
    ),
  ]);

describe('a request in a dialog that nobody here has', () => {
  it('is ours to answer where no process has it, without asking anybody', async () => {
    expect(stray(bye('none'))).toBe(true);
    await world.run(1);
    expect([done, asked]).toEqual([['taken tcp7'], []]);
  });

  it('goes to the process that has it, and so does what follows', async () => {
    await row('theirs', B);
    claimed = () => ({ owner: B });
    stray(bye('theirs'));
    await world.run(1);
    stray(bye('theirs'));
    const word = { do: 'in', flow: FLOW, text: bye('theirs') };
    expect([said, asked, done]).toEqual([
      [
        { to: B, word },
        { to: B, word },
      ],
      ['theirs'],
      [],
    ]);
    alive = [A];
    claimed = () => ({ mine: ['chn_1'] });
    stray(bye('theirs'));
    await world.run(1);
    expect(done).toEqual(['restored chn_1', 'taken tcp7']);
  });

  it('waits until its call is taken up, with what comes meanwhile, in order and not without end', async () => {
    await row('left', 'gone');
    claimed = () => ({ mine: ['chn_1'] });
    for (let i = 0; i < 9; i++) expect(stray(bye('left'), { ...FLOW, id: `tcp${i}` })).toBe(true);
    await world.run(1);
    expect(done).toEqual(['restored chn_1', ...Array.from({ length: 8 }, (_none, i) => `taken tcp${i}`)]);
    expect(asked).toEqual(['left']);
  });

  it('is answered at once where too many are being asked for', () => {
    for (let i = 0; i < CLAIMS; i++) expect(stray(bye(`call${i}`))).toBe(true);
    expect(stray(bye('more'))).toBe(false);
    expect(stray(bye('call0'))).toBe(true);
  });
});

it('a response goes to the process whose mark its branch bears, while that lives', () => {
  const ok = (branch: string) => text('SIP/2.0 200 OK', 'x', branch);
  expect(mates.mark).toBe('g');
  expect(['z9hG4bKg1', 'z9hG4bK01', 'z9hG4bKi1'].map((branch) => stray(ok(branch)))).toEqual([false, false, false]);
  expect(stray(ok('z9hG4bKh1'))).toBe(true);
  expect(said).toEqual([{ to: B, word: { do: 'in', flow: FLOW, text: ok('z9hG4bKh1') } }]);
  alive = [A];
  expect(stray(ok('z9hG4bKh1'))).toBe(false);
});

it('what another sends over a flow of ours goes out there, and what we send over its flow goes to it', () => {
  hear(B, { do: 'in', flow: FLOW, text: bye('none') });
  expect(done).toEqual([`held ${B}/tcp7`]);
  const foreign = { ...FLOW, id: `${B}/tcp7` };
  expect([isForeign(foreign), isForeign(FLOW)]).toEqual([true, false]);
  expect([mates.relay(FLOW, 'x'), mates.relay(foreign, 'x')]).toEqual([false, true]);
  expect(said).toEqual([{ to: B, word: { do: 'out', flow: FLOW, text: 'x' } }]);
  hear(B, { do: 'out', flow: FLOW, text: 'BYE' });
  expect(done.at(-1)).toBe('passed tcp7 BYE');
});

it('tells the others once of a gateway’s new flow, and of every line that changed', () => {
  mates.back('gw_1', FLOW);
  mates.back('gw_1', FLOW);
  mates.tell('line_1');
  expect(said.map(({ to, word }) => [to, (word as { do: string }).do])).toEqual([
    [B, 'back'],
    [B, 'line'],
  ]);
  hear(B, { do: 'back', gateway: 'gw_1', flow: FLOW });
  hear(B, { do: 'line', line: 'line_1' });
  expect(done).toEqual([`gw_1 ${B}/tcp7`, 'changed line_1']);
});
