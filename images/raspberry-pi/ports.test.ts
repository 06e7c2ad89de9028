import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { portFaults, readOwnedPorts } from './ports.ts';

const owned = readOwnedPorts(`
always udp 5060 agent
router udp 53 dnsmasq
sometimes udp 20000-29999 agent
`);
const row = (protocol: string, local: string, process: string) =>
  `${protocol}   UNCONN 0 0    ${local}   0.0.0.0:*    users:(("${process}",pid=4,fd=3),("${process}",pid=5,fd=3))`;
const sip = row('udp', '0.0.0.0:5060', 'agent');
const names = row('udp', '[fd00::1]%br-lan:53', 'dnsmasq');

test.each<[string, string[], 'router' | 'client', string[]]>([
  ['all in order', [sip, names], 'router', []],
  ['a guest has no names to give', [sip], 'client', []],
  ['media comes and goes', [sip, row('udp', '*:20000', 'agent')], 'client', []],
  ['names where there should be none', [sip, names], 'client', [`has no owner: ${names}`]],
  ['names missing', [sip], 'router', ['is not open: udp 53 of dnsmasq']],
  [
    'the right port of another',
    [row('udp', '0.0.0.0:5060', 'other'), names],
    'router',
    [`has no owner: ${row('udp', '0.0.0.0:5060', 'other')}`, 'is not open: udp 5060 of agent'],
  ],
  [
    'one port too far',
    [sip, row('udp', '*:30000', 'agent')],
    'client',
    [`has no owner: ${row('udp', '*:30000', 'agent')}`],
  ],
  ['a port of nobody', [sip, 'tcp LISTEN 0 1 *:22 *:*'], 'client', ['has no owner: tcp LISTEN 0 1 *:22 *:*']],
])('%s', (_, lines, role, faults) => {
  expect(portFaults(['Netid State Recv-Q Send-Q Local', ...lines].join('\n'), owned, role)).toEqual(faults);
});

test('our own list can be read', () => {
  expect(readOwnedPorts(readFileSync(join(import.meta.dirname, 'ports.txt'), 'utf8')).length).toBeGreaterThan(9);
  expect(() => readOwnedPorts('always udp 0 x')).toThrow();
  expect(() => readOwnedPorts('never udp 5 x')).toThrow();
});
