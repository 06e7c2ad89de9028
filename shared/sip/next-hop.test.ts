import { afterEach, describe, expect, it } from 'vitest';
import { Duo, lineOf, obliging } from '#test/support/sip-duo.ts';
import { dialogOfInvite } from './dialog.ts';
import { newRequest } from './message.ts';
import { nextHop } from './next-hop.ts';
import type { Flow } from './types.ts';

const flow: Flow = {
  id: 'udp0:10.0.0.2:5060',
  protocol: 'udp',
  local: { host: '10.0.0.1', port: 5060 },
  remote: { host: '10.0.0.2', port: 5060 },
  peer: { kind: 'none' },
};

function dialog(contact: string, routes: readonly string[] = []) {
  const invite = newRequest('INVITE', 'sip:a@10.0.0.1', [
    ['Via', 'SIP/2.0/UDP 10.0.0.2;branch=z9hG4bK1'],
    ['From', '<sip:b@h>;tag=1'],
    ['To', '<sip:a@h>'],
    ['Call-ID', 'c'],
    ['CSeq', '1 INVITE'],
    ['Contact', `<${contact}>`],
    ...routes.map((route): [string, string] => ['Record-Route', route]),
  ]);
  return dialogOfInvite(invite, 'tag');
}

describe('the next hop', () => {
  it.each<[string, readonly string[], string | undefined]>([
    ['sip:b@10.0.0.3', [], '10.0.0.3:5060'],
    ['sip:b@10.0.0.2:5080', [], '10.0.0.2:5080'],
    ['sip:b@10.0.0.3:5070;transport=UDP', [], '10.0.0.3:5070'],
    ['sip:b@10.0.0.2', [], undefined],
    ['sip:b@10.0.0.3', ['<sip:10.0.0.2;lr>', '<sip:10.0.0.9;lr>'], undefined],
    ['sip:b@10.0.0.3', ['<sip:10.0.0.9;lr>', '<sip:10.0.0.2;lr>'], '10.0.0.9:5060'],
    ['sip:b@10.0.0.3;transport=tcp', [], undefined],
    ['sips:b@10.0.0.3', [], undefined],
    ['sip:b@10.0.0.3;maddr=10.0.0.4', [], undefined],
    ['sip:b@host.example', [], undefined],
    ['sip:b@[2001:db8::1]', [], undefined],
  ])('of Contact %s with routes %j is %s', (contact, routes, expected) => {
    const hop = nextHop(dialog(contact, routes), flow, () => true);
    expect(hop && `${hop.remote.host}:${hop.remote.port}`).toBe(expected);
    expect(nextHop(dialog(contact, routes), flow, () => false)).toBeUndefined();
    expect(nextHop(dialog(contact, routes), { ...flow, protocol: 'tcp' }, () => true)).toBeUndefined();
  });
});

describe('requests in a dialog', () => {
  let duo = new Duo();
  afterEach(() => duo.run());

  /** Where which messages of a side went; the other side gets them all the same. */
  function wayOf(side: 'a' | 'b', more: ConstructorParameters<typeof Duo>[0]): string[] {
    duo = new Duo(more);
    const ways: string[] = [];
    const travel = duo.travel.bind(duo);
    duo.travel = (from, text, over) => {
      if (from === duo[side]) ways.push(`${lineOf(text)} ${over.remote.host}`);
      travel(from, text, over);
    };
    return ways;
  }

  it('of who called: the INVITE goes the first way, ACK of its 2xx and BYE the other', () => {
    const ways = wayOf('a', { a: { follows: (_flow, host) => host === '10.0.0.77' } });
    duo.b.decide = (output, side) => {
      if (output.do === 'incoming')
        side.act((e, now, out) => e.answer(output.call, { sdp: 'x', contact: 'sip:b@10.0.0.77' }, now, out));
      else obliging(output, side);
    };
    const call = duo.call({ sdp: 'x' });
    duo.run(100);
    duo.a.act((e, now, out) => e.hangup(call, '', now, out));
    duo.run(100);
    expect(ways).toEqual(['INVITE 10.0.0.2', 'ACK 10.0.0.77', 'BYE 10.0.0.77']);
  });

  it('of who was called: responses go back the way of the INVITE, BYE to the Contact', () => {
    const ways = wayOf('b', { b: { follows: () => true } });
    duo.b.decide = obliging;
    duo.call({ sdp: 'x', contact: 'sip:a@10.0.0.77' });
    duo.run(100);
    duo.b.act((e, now, out) => e.hangup(duo.b.last('incoming').call, '', now, out));
    duo.run(100);
    expect(ways).toEqual(['100 INVITE 10.0.0.1', '180 INVITE 10.0.0.1', '200 INVITE 10.0.0.1', 'BYE 10.0.0.77']);
  });

  it('of who follows nobody all go the first way', () => {
    const ways = wayOf('b', {});
    duo.b.decide = obliging;
    duo.call({ sdp: 'x', contact: 'sip:a@10.0.0.77' });
    duo.run(100);
    duo.b.act((e, now, out) => e.hangup(duo.b.last('incoming').call, '', now, out));
    duo.run(100);
    expect(ways.at(-1)).toBe('BYE 10.0.0.1');
  });
});
