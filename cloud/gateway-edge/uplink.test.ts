import { describe, expect, test } from 'vitest';
import { ENVELOPE_LIMIT } from '#shared/protocol/envelope.ts';
import type { UpChannel } from '#shared/protocol/topics.ts';
import { gatewayVerbs, verbEntry } from '#shared/protocol/verbs/index.ts';
import { readUplink } from './uplink.ts';

const envelope = (type: string, more: object = {}) => ({ v: 1, id: 'i1', type, ts: 0, epoch: 1, seq: 1, ...more });
const wake = verbEntry('device.report')?.example;
const hello = verbEntry('gateway.hello')?.example;
const reported = verbEntry('gateway.reported')?.example;
const announce = verbEntry('pairing.announce')?.example;
const play = verbEntry('media.play')?.example;

function read(kind: 'gateway' | 'applicant', channel: UpChannel, message: unknown, wall = 1000) {
  const uplink = readUplink(kind, channel, typeof message === 'string' ? message : JSON.stringify(message), wall);
  switch (uplink.do) {
    case 'run':
      return `${uplink.verb}${uplink.ordered ? ' in order' : ''}`;
    case 'refuse':
      return uplink.fault.code;
    default:
      return uplink.do === 'drop' ? uplink.why : `settle ${uplink.re}`;
  }
}

describe('a gateway’s message', () => {
  const table: [UpChannel, unknown, string][] = [
    ['hello', envelope('gateway.hello', { body: hello }), 'gateway.hello'],
    ['req', envelope('gateway.hello', { body: hello }), 'forbidden'],
    ['event', envelope('gateway.hello', { body: hello }), 'forbidden'],
    ['hello', envelope('media.play', { body: play }), 'forbidden'],
    ['req', envelope('media.play', { body: play }), 'media.play'],
    ['event', envelope('media.play', { body: play }), 'forbidden'],
    ['event', envelope('device.report', { body: wake }), 'device.report in order'],
    ['req', envelope('device.report', { body: wake }), 'forbidden'],
    ['reported', envelope('gateway.reported', { body: reported }), 'gateway.reported in order'],
    ['event', envelope('gateway.reported', { body: reported }), 'forbidden'],
    ['reported', envelope('device.report', { body: wake }), 'forbidden'],
    ['req', envelope('home.create', { body: { name: 'x' } }), 'forbidden'],
    ['req', envelope('gateway.command', { body: { gateway: 'gw_2', verb: 'inventory.scan', body: {} } }), 'forbidden'],
    ['req', envelope('device.wake.local', { body: { mac: '02:00:00:00:00:01' } }), 'forbidden'],
    ['req', envelope('pairing.announce', { body: announce }), 'forbidden'],
    ['req', envelope('__proto__', { body: {} }), 'forbidden'],
    ['req', envelope('constructor', { body: {} }), 'forbidden'],
    ['req', envelope('media.play', { body: { ...play, extra: 1 } }), 'bad_request'],
    ['req', envelope('media.play', { body: { to: 5, item: 'x' } }), 'bad_request'],
    ['req', envelope('media.play'), 'bad_request'],
    ['req', envelope('media.play', { body: play, exp: 1001 }), 'media.play'],
    ['req', envelope('media.play', { body: play, exp: 1000 }), 'expired'],
    ['res', envelope('x', { re: 'c1', body: {} }), 'settle c1'],
    ['res', envelope('x', { re: 'c1', fault: { code: 'gateway_refused' } }), 'settle c1'],
    ['res', envelope('x', { re: 'c1', fault: { code: 'no_such_fault' } }), 'unreadable'],
    ['res', envelope('x'), 'an answer to nothing'],
    ['tele', envelope('x', { body: {} }), 'telemetry'],
    ['req', 'not json', 'unreadable'],
    ['req', '[]', 'unreadable'],
    ['req', envelope('media.play', { v: 2 }), 'unreadable'],
    ['req', envelope('media.play', { id: 'a/b' }), 'unreadable'],
    ['req', '['.repeat(30_000), 'unreadable'],
    ['req', `{"v":1,"x":"${'a'.repeat(ENVELOPE_LIMIT)}"}`, 'unreadable'],
  ];
  test.each(table)('on %s: %o', (channel, message, expected) => {
    expect(read('gateway', channel, message)).toBe(expected);
  });
});

describe('an applicant’s message', () => {
  const table: [UpChannel, unknown, string][] = [
    ['req', envelope('pairing.announce', { body: announce }), 'pairing.announce'],
    ['req', envelope('media.play', { body: play }), 'forbidden'],
    ['req', envelope('gateway.hello', { body: hello }), 'forbidden'],
    ['req', envelope('pairing.claimed', { body: { keyHash: 'x', claimed: true } }), 'forbidden'],
    ['res', envelope('x', { re: 'c1', body: {} }), 'settle c1'],
  ];
  test.each(table)('on %s: %o', (channel, message, expected) => {
    expect(read('applicant', channel, message)).toBe(expected);
  });
});

test('the example of every verb that a gateway may send is accepted on its channel', () => {
  for (const channel of ['req', 'event'] as const) {
    for (const verb of gatewayVerbs(channel)) {
      const own = { 'gateway.hello': 'hello', 'gateway.reported': 'reported' }[verb as string] ?? channel;
      const body = verbEntry(verb)?.example;
      expect(read('gateway', own as UpChannel, envelope(verb, { body })), verb).toMatch(new RegExp(`^${verb}`));
    }
  }
});
