import { expect, it } from 'vitest';
import type { Flow } from '#shared/sip/types.ts';
import { contactOn, readHostPort } from './contact.ts';

it.each([
  ['10.0.0.1:5061', { host: '10.0.0.1', port: 5061 }],
  ['sip.example.net:1', { host: 'sip.example.net', port: 1 }],
  ['[fd00::1]:65535', { host: 'fd00::1', port: 65_535 }],
  ['fd00::1:5061', undefined],
  ['[fd00::1]', undefined],
  ['host', undefined],
  ['host:', undefined],
  ['host:0', undefined],
  ['host:65536', undefined],
  [':5061', undefined],
  ['host:5061x', undefined],
] as const)('reads %s', (text, address) => {
  expect(readHostPort(text)).toEqual(address);
});

it.each([
  ['udp', '10.0.0.1', 'sip:u@10.0.0.1:5060'],
  ['tls', '10.0.0.1', 'sip:u@10.0.0.1:5060;transport=tls'],
  ['udp', 'fd00::1', 'sip:u@[fd00::1]:5060'],
] as const)('names itself on a %s flow of %s', (protocol, host, contact) => {
  const flow: Flow = {
    id: '1',
    protocol,
    local: { host, port: 5060 },
    remote: { host, port: 1 },
    peer: { kind: 'none' },
  };
  expect(contactOn(flow, 'u')).toBe(contact);
});
