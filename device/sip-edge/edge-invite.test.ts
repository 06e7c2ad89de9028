import { describe, expect, it } from 'vitest';
import type { SipPort } from '#shared/host/call-driver.ts';
import { newRequest } from '#shared/sip/message.ts';
import type { Flow } from '#shared/sip/types.ts';
import { newEdgeCall, saidIn } from './edge-call.ts';
import { edgeInvite } from './edge-invite.ts';

const flow: Flow = {
  id: 'f1',
  protocol: 'tls',
  local: { host: '10.0.0.1', port: 5061 },
  remote: { host: '10.9.0.1', port: 5061 },
  peer: { kind: 'none' },
};
const OWN = '<sip:+1555@x.test>;tag=1';
const tools = {
  sip: { contact: () => '<sip:hl@10.0.0.1>' } as Partial<SipPort> as SipPort,
  domain: () => 'x.test',
  upstream: () => flow,
  emergency: () => undefined,
  inside: () => ({ shown: () => ({ from: '', headers: [] }) }),
};

/** Privacy of the INVITE to the softswitch, for a phone that says so. */
function sent(values: readonly string[], { from = OWN, code = false } = {}): string[] {
  const headers = [['From', from] as const, ...values.map((value) => ['Privacy', value] as const)];
  const said = saidIn(newRequest('INVITE', 'sip:+1666@x.test', headers));
  const call = newEdgeCall({ ...said, id: 'c1', flow, shown: '<sip:+1555@x.test>', startedAt: 0 });
  if (code) call.hidden = true;
  const to = { kind: 'softswitch', dialled: '+1666', flow } as const;
  const invite = edgeInvite(tools, call, { do: 'invite', branch: 'cloud', leg: 'callee', to, sdp: '' });
  return (invite.headers ?? []).flatMap(([name, value]) => (name === 'Privacy' ? [value] : []));
}

describe('privacy that a phone of the house asks for, on its way to the softswitch (RFC 3323 section 4.2)', () => {
  it.each<[asked: string[], sent: string[]]>([
    [[], []],
    [['id'], ['id']],
    [['user'], ['id;user']],
    [['header'], ['id;header']],
    [['session'], ['session']],
    [['session;critical'], ['session;critical']],
    [['id', 'session', 'critical'], ['id;session;critical']],
    [['history'], ['history']],
    [['x-more;session'], ['session']],
    [['x-more'], []],
    [['none'], ['none']],
  ])('%j: %j', (asked, expected) => {
    expect(sent(asked)).toEqual(expected);
  });

  it('and by an anonymous From, or a code', () => {
    expect(sent(['session'], { from: '"Anonymous" <sip:anonymous@anonymous.invalid>;tag=1' })).toEqual(['id;session']);
    expect(sent(['session'], { code: true })).toEqual(['id;session']);
    expect(sent(['none'], { code: true })).toEqual(['id']);
  });
});
