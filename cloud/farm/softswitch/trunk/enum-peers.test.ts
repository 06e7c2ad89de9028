import { expect, it } from 'vitest';
import { mayBeCalled } from './enum-peers.ts';

it.each<[host: string, peers: readonly string[], may: boolean]>([
  ['carrier.test', ['carrier.test'], true],
  ['Carrier.Test.', ['carrier.TEST'], true],
  ['sbc.carrier.test', ['carrier.test'], false],
  ['sbc.carrier.test', ['.carrier.test'], true],
  ['carrier.test', ['.carrier.test'], false],
  ['evilcarrier.test', ['.carrier.test'], false],
  ['10.0.0.1', ['.0.0.1', '.1'], false],
  ['10.0.0.1', ['10.0.0.1'], true],
  ['fe80::1', ['.1', ':1'], false],
  ['anybody.test', [], false],
])('%s by %j: %s', (host, peers, may) => expect(mayBeCalled(host, peers)).toBe(may));
