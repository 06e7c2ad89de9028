import { expect, test } from 'vitest';
import type { LineRow } from '#cloud/store/directory.ts';
import { CALLER, restoredCall } from '#shared/call/call.ts';
import { NEVER } from '#shared/kernel/machine.ts';
import { newRequest } from '#shared/sip/message.ts';
import type { Callee, Live } from './live.ts';
import { ENDED_DIALOGS, Replaces } from './replaces.ts';

const line = (n: number): LineRow => ({
  ...{ id: `line_${n}`, home: `home_${n}`, number: `+1555010000${n}`, username: `u${n}`, name: null },
  ...{ class: 'standard', kind: 'phone', ha1_md5: '', ha1_sha256: '', created_at: 0 },
});

/** An established call of line 1, whose dialog is `c<n>`, ours `o`, theirs `t`. */
function call(n: number): Live {
  return {
    ...{ id: `chn_${n}`, session: `ses_${n}`, autonomous: false, caller: { number: '1' }, line: line(1) },
    ...{ direct: true, open: true, dialled: '2', callId: `c${n}`, counted: [], startedAt: 0, due: NEVER },
    state: restoredCall<Callee>({ callerLeg: `leg_${n}`, relay: true, owned: true }),
    handles: new Map([[CALLER, `h${n}`]]),
    versions: new Map(),
  };
}

function rig() {
  const lives = new Set<Live>();
  let now = 0;
  const endpoint = {
    dialogId: (handle: string) => {
      const live = [...lives].find((one) => one.handles.get(CALLER) === handle);
      return live === undefined
        ? undefined
        : { callId: live.callId, localTag: 'o', remoteTag: live.callId === 'c9' ? '' : 't' };
    },
  };
  const replaces = new Replaces({ calls: { all: () => lives }, endpoint, now: () => now });
  const wanted = (values: readonly string[], by = 1) =>
    replaces.wanted(
      newRequest(
        'INVITE',
        'sip:x@y',
        values.map((value) => ['Replaces', value] as const),
      ),
      line(by),
    );
  return { lives, replaces, wanted, pass: (ms: number) => (now += ms) };
}

test.each<[string, readonly string[], number, object | undefined]>([
  ['no header', [], 1, undefined],
  ['the tags as we have them', ['c1;to-tag=o;from-tag=t'], 1, { session: 'ses_1', leg: 'leg_1' }],
  ['the tags as the phone has them', ['c1;to-tag=t;from-tag=o'], 1, { session: 'ses_1', leg: 'leg_1' }],
  ['two headers', ['c1;to-tag=o;from-tag=t', 'c1;to-tag=o;from-tag=t'], 1, { refuse: 400 }],
  ['a tag that is missing', ['c1;to-tag=o'], 1, { refuse: 400 }],
  ['one tag that is wrong', ['c1;to-tag=o;from-tag=x'], 1, { refuse: 481 }],
  ['0 in place of a tag that is there', ['c1;to-tag=o;from-tag=0'], 1, { refuse: 481 }],
  ['one tag twice', ['c1;to-tag=o;from-tag=o'], 1, { refuse: 481 }],
  ['another Call-ID', ['c2;to-tag=o;from-tag=t'], 1, { refuse: 481 }],
  ['only while it is early', ['c1;to-tag=o;from-tag=t;early-only'], 1, { refuse: 486 }],
  ['a phone of another home', ['c1;to-tag=o;from-tag=t'], 2, { refuse: 403 }],
])('%s', (_what, values, by, expected) => {
  const { lives, wanted } = rig();
  lives.add(call(1));
  expect(wanted(values, by)).toEqual(expected);
});

test('a call that the session manager does not know stays whose it is', () => {
  const { lives, wanted } = rig();
  lives.add({ ...call(1), autonomous: true });
  expect(wanted(['c1;to-tag=o;from-tag=t'])).toEqual({ refuse: 480 });
});

test('a dialog that has ended is told as such for half a minute, whoever asks; so many, and one more', () => {
  const { lives, replaces, wanted, pass } = rig();
  const end = (n: number) => {
    const live = call(n);
    lives.add(live);
    replaces.changed(live);
    lives.delete(live);
    replaces.over(live);
  };
  end(1);
  expect([wanted(['c1;to-tag=o;from-tag=t']), wanted(['c1;to-tag=t;from-tag=o'])]).toEqual([
    { refuse: 603 },
    { refuse: 603 },
  ]);
  for (const other of [
    'c1;to-tag=o;from-tag=x',
    'c1;to-tag=x;from-tag=t',
    'c1o;to-tag=;from-tag=t',
    'c2;to-tag=o;from-tag=t',
  ])
    expect(wanted([other])).not.toEqual({ refuse: 603 });
  pass(32_000);
  expect(wanted(['c1;to-tag=o;from-tag=t'])).toEqual({ refuse: 481 });
  for (let n = 2; n < ENDED_DIALOGS + 2; n++) end(n);
  expect(wanted(['c2;to-tag=o;from-tag=t'])).toEqual({ refuse: 603 });
  for (let n = ENDED_DIALOGS + 2; n <= 2 * ENDED_DIALOGS; n++) end(n);
  expect(wanted(['c2;to-tag=o;from-tag=t'])).toEqual({ refuse: 481 });
  expect(wanted([`c${ENDED_DIALOGS + 1};to-tag=o;from-tag=t`])).toEqual({ refuse: 603 });
});
