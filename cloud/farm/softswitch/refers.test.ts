import { expect, test } from 'vitest';
import type { Bus } from '#cloud/bus/bus.ts';
import { CALLER, restoredCall } from '#shared/call/call.ts';
import type { SipPort } from '#shared/host/call-driver.ts';
import { NEVER } from '#shared/kernel/machine.ts';
import { newRequest } from '#shared/sip/message.ts';
import type { SipEndpoint } from '#shared/sip/types.ts';
import type { Calls } from './calls.ts';
import type { Callee, Live } from './live.ts';
import { Refers } from './refers.ts';

/** A call by a trunk. */
const live: Live = {
  ...{ id: 'chn_1', session: 'ses_1', autonomous: false, caller: { number: '1' }, direct: false, open: false },
  ...{ dialled: '2', callId: 'c', counted: [], startedAt: 0, due: NEVER, handles: new Map(), versions: new Map() },
  state: restoredCall<Callee>({ callerLeg: 'leg_1', relay: true, owned: true }),
};

test('nothing stays of calls that we ended ourselves, which nobody tells of', async () => {
  const [standing, asked, answers] = [new Set<string>(), [] as string[], [] as number[]];
  const endpoint = {
    dialogId(handle: string) {
      asked.push(handle);
      return standing.has(handle) ? { callId: 'c', localTag: 'a', remoteTag: 'b' } : undefined;
    },
    reply: (_transaction: string, status: number) => void answers.push(status),
  };
  const sip: Pick<SipPort, 'endpoint' | 'act'> = {
    endpoint: endpoint as unknown as SipEndpoint,
    act: (run) => run(endpoint as unknown as SipEndpoint, 0, []),
  };
  const calls: Pick<Calls, 'ofHandle'> = { ofHandle: () => ({ call: live, party: CALLER }) };
  const refers = new Refers({
    ...{ bus: {} as Bus, calls: calls as Calls, sip: sip as SipPort, isOurs: () => true },
  });
  const refer = async (call: string) => {
    standing.add(call);
    const message = newRequest('REFER', 'sip:x@x', [['Refer-To', '<sip:1@x>']], '');
    await refers.take({ do: 'in-dialog', call, transaction: call, message });
  };
  for (let n = 0; n < 20; n++) {
    await refer(`c${n}`);
    standing.delete(`c${n}`);
  }
  expect(answers).toEqual(Array(20).fill(403));
  asked.length = 0;
  await refer('last');
  expect(asked).toEqual(['c19']);
});
