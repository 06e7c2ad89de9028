import { describe, expect, it } from 'vitest';
import { URGENCY, urgencyOf } from './urgency.ts';

const isHelp = (uri: string): boolean => uri === 'urn:service:sos' || uri.startsWith('sip:112@');
const message = (start: string, ...lines: string[]): string =>
  `${[start, 'Via: SIP/2.0/UDP 10.0.0.1;branch=z9hG4bK1', ...lines].join('\r\n')}\r\n\r\n`;
const invite = (uri: string, ...lines: string[]): string => message(`INVITE ${uri} SIP/2.0`, ...lines);

describe('how urgent a message is', () => {
  it.each<[string, string, keyof typeof URGENCY]>([
    ['a new call', invite('sip:12@house', 'To: <sip:12@house>'), 'fresh'],
    ['a new call of a chatty phone', invite('sip:12@house', 'To: "tag=x" <sip:12@house;tag2=y>'), 'fresh'],
    ['a signed one', invite('sip:12@house', 'Authorization: Digest a'), 'signed'],
    ['one signed in small letters', invite('sip:12@house', 'proxy-authorization : Digest a'), 'signed'],
    ['a body that looks signed', `${invite('sip:12@house')}v=0\r\nAuthorization: x\r\n`, 'fresh'],
    ['a re-INVITE', invite('sip:12@house', 'To: <sip:12@house>;tag=1'), 'inCall'],
    ['a re-INVITE in short words', invite('sip:12@house', 't : sip:12@house; tag = 1', 'Authorization: a'), 'inCall'],
    ['a call for help', invite('sip:112@house'), 'help'],
    ['help asked for by name', invite('urn:service:sos'), 'help'],
    ['help at the end of a very long name', invite(`sip:112@${'x'.repeat(300)}`), 'fresh'],
    ['nothing after the method', 'INVITE ', 'fresh'],
    ['an ACK', message('ACK sip:12@house SIP/2.0'), 'inCall'],
    ['a BYE', message('BYE sip:12@house SIP/2.0'), 'inCall'],
    ['a PRACK', message('PRACK sip:12@house SIP/2.0'), 'inCall'],
    ['an answer', message('SIP/2.0 200 OK'), 'inCall'],
    ['a CANCEL', message('CANCEL sip:12@house SIP/2.0'), 'fresh'],
    ['a registration', message('REGISTER sip:house SIP/2.0'), 'other'],
    ['an unknown method', message('BYEBYE sip:house SIP/2.0'), 'other'],
  ])('%s', (_what, text, rank) => {
    expect(urgencyOf(text, isHelp)).toBe(URGENCY[rank]);
  });

  it.each(['\x00\x01\x00\x00', '', '\r\n\r\n'])('what is no SIP has none: %j', (text) => {
    expect(urgencyOf(text, isHelp)).toBeUndefined();
  });
});
