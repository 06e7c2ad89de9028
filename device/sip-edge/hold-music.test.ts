import { describe, expect, it, test } from 'vitest';
import { CALLER, restoredCall } from '#shared/call/call.ts';
import type { Log } from '#shared/kernel/world.ts';
import { EngineError, type MediaEngine } from '#shared/media-engine/engine.ts';
import type { Flow } from '#shared/sip/types.ts';
import { Anchor } from '../media-relay/anchor.ts';
import { CALLEE_LEG, CALLER_LEG, type EdgeCall, type NamedLine, newEdgeCall, type Ring } from './edge-call.ts';
import { HoldMusic } from './hold-music.ts';

const flow: Flow = {
  ...{ id: 'f', protocol: 'udp', peer: { kind: 'none' } },
  ...{ local: { host: '10.0.0.1', port: 5060 }, remote: { host: '10.0.0.9', port: 5060 } },
};
const desk: NamedLine = { id: 'desk', number: '+15550100001' };
const hall: NamedLine = { id: 'hall', number: '+15550100002' };
const phone = (line: NamedLine): Ring => ({ kind: 'phone', phone: { uri: '', flow, path: [] }, line });
const cloud: Ring = { kind: 'softswitch', dialled: '', flow };

function call(from: NamedLine | undefined, to: Ring, more: Partial<EdgeCall> = {}): EdgeCall {
  const facts = { id: 'c1', flow, shown: '', dialled: '', callId: '', startedAt: 0, ...(from && { from }) };
  const callee = { leg: CALLEE_LEG, branch: 'p0', to };
  const state = restoredCall<Ring>({ callerLeg: CALLER_LEG, callee, relay: true, owned: true });
  return { ...newEdgeCall(facts), state, ...more };
}

/** What the engine is asked; `fails` is its answer to a command, undefined where it does it. */
function rig(fails: (command: string) => EngineError['code'] | undefined = () => undefined) {
  const [asked, warned] = [[] as string[], [] as string[]];
  const told = async (command: string) => {
    asked.push(command);
    const code = fails(command);
    if (code !== undefined) throw new EngineError(code, code);
  };
  const engine: Pick<MediaEngine, 'player' | 'start' | 'connect' | 'release'> = {
    player: ({ id, source, gain }) => told(`player ${id} ${'tone' in source ? source.tone : ''} ${gain}`),
    start: (id) => told(`start ${id}`),
    connect: (from, to, connected) => told(`${connected ? 'connect' : 'part'} ${from} ${to}`),
    release: (id) => told(`release ${id}`),
  };
  const anchor = new Anchor(engine as MediaEngine, { bytes: (n) => new Uint8Array(n), fraction: () => 0.5 });
  const log: Log = {
    ...{ debug() {}, info() {}, error() {}, child: () => log },
    warn: (event: string) => void warned.push(event),
  };
  const music = new HoldMusic({ anchor, log, wanted: ({ id }) => id === 'desk' });
  return { music, asked, warned };
}

describe('a side gives music', () => {
  const help = { service: 'urn:service:sos' } as unknown as NonNullable<EdgeCall['help']>;
  it.each<[string, boolean, EdgeCall, string]>([
    ['to another phone of the house', true, call(desk, phone(hall)), CALLER],
    ['as the called one', true, call(hall, phone(desk)), 'p0'],
    ['of a line that wants none', false, call(desk, phone(hall)), 'p0'],
    ['to somebody outside, who has the softswitch’s', false, call(desk, cloud), CALLER],
    ['from outside', false, call(undefined, phone(desk)), CALLER],
    ['to who calls from outside', false, call(undefined, phone(desk)), 'p0'],
    ['in a call for help', false, call(desk, phone(hall), { help }), CALLER],
  ])('%s: %s', (_what, gives, one, party) => {
    expect(rig().music.plays(one, party)).toBe(gives);
  });
});

describe('the words to the engine', () => {
  const on = { do: 'music', party: 'p0', leg: CALLEE_LEG, from: CALLER_LEG, on: true } as const;
  const held = (music = true) => {
    const one = call(desk, phone(hall));
    const side = one.state.sides.get('p0');
    if (side !== undefined) side.music = music;
    return one;
  };
  const PLAYER = 'c1.music-callee';

  test('music in the place of the holder, and the holder again', async () => {
    const { music, asked } = rig();
    await music.change(held(), on);
    expect(asked.splice(0)).toEqual([
      `player ${PLAYER} music 0.5`,
      `connect ${PLAYER} c1.callee`,
      `start ${PLAYER}`,
      'part c1.caller c1.callee',
    ]);
    await music.change(held(false), { ...on, on: false });
    expect(asked).toEqual([`release ${PLAYER}`, 'connect c1.caller c1.callee']);
  });

  test('none where the hold is over before it could begin', async () => {
    const { music, asked } = rig();
    await music.change(held(false), on);
    expect(asked).toEqual([`player ${PLAYER} music 0.5`]);
  });

  test('they hear each other where it cannot be played, and the log says so', async () => {
    const { music, asked, warned } = rig((command) => (command.startsWith('player') ? 'limit_reached' : undefined));
    await music.change(held(), on);
    expect([asked.length, warned]).toEqual([1, ['edge.no-hold-music']]);
  });

  test('an end that has gone is nothing to speak of', async () => {
    const { music, warned } = rig((command) => (command.startsWith('connect c1.caller') ? 'unknown_node' : undefined));
    await music.change(held(false), { ...on, on: false });
    expect(warned).toEqual([]);
  });

  test('a call that is over asks for nothing where nobody heard music', () => {
    const { music, asked } = rig();
    music.end(held(false));
    expect(asked).toEqual([]);
    music.end(held());
    expect(asked).toEqual([`release ${PLAYER}`]);
  });
});
