import { describe, expect, it } from 'vitest';
import { TEXT_LIMIT } from '../protocol/verbs/messaging.ts';
import { writeImdn } from '../sip/imdn.ts';
import { readSubmission, tooLarge } from './submission.ts';

const cpim = (headers: string, content: string, body: string) => `${headers}\r\n\r\n${content}\r\n\r\n${body}`;
const IDS = 'From: <sip:a@x>\r\nNS: imdn <urn:ietf:params:imdn>\r\nimdn.Message-ID: m1';
const XML = writeImdn({ messageId: 'm1', dateTime: '', disposition: 'display', status: 'displayed' });

describe('what a phone may send', () => {
  it.each<[string, string, string, object]>([
    ['plain text', 'text/plain', 'Hi', { is: 'text', text: 'Hi', receipts: '' }],
    ['with a charset', 'Text/Plain; charset="UTF-8"', 'Hi', { is: 'text', text: 'Hi', receipts: '' }],
    [
      'CPIM with a name',
      'message/cpim',
      cpim(IDS, 'Content-Type: text/plain', 'Hi'),
      { is: 'text', text: 'Hi', origin: 'm1', receipts: '' },
    ],
    [
      'CPIM that wants receipts',
      'message/cpim',
      cpim(
        `${IDS}\r\nimdn.Disposition-Notification: Display, positive-delivery, other`,
        'Content-Type: text/plain',
        'x',
      ),
      { is: 'text', text: 'x', origin: 'm1', receipts: 'positive-delivery,display' },
    ],
    [
      'receipts without a name, which could not be told',
      'message/cpim',
      cpim(
        'NS: imdn <urn:ietf:params:imdn>\r\nimdn.Disposition-Notification: display',
        'Content-Type: text/plain',
        'x',
      ),
      { is: 'text', text: 'x', receipts: '' },
    ],
    ['a receipt in CPIM', 'message/cpim', cpim(IDS, 'Content-Type: message/imdn+xml', XML), { is: 'receipt' }],
    ['a bare receipt', 'message/imdn+xml', XML, { is: 'receipt', imdn: { messageId: 'm1' } }],
  ])('%s', (_name, type, body, expected) => {
    const read = readSubmission(type, body);
    expect(read.ok && read.value).toMatchObject(expected);
    if (read.ok && read.value.is === 'text') expect(read.value).toEqual(expected);
  });

  it.each([
    ['html', 'text/html', '<b>x</b>', 'message_content'],
    ['another charset', 'text/plain;charset=latin1', 'x', 'message_content'],
    ['an image in CPIM', 'message/cpim', cpim(IDS, 'Content-Type: image/png', 'x'), 'message_content'],
    ['an empty text', 'text/plain', '', 'bad_request'],
    ['broken CPIM', 'message/cpim', 'x', 'bad_request'],
    ['a broken receipt', 'message/imdn+xml', '<imdn/>', 'bad_request'],
    ['one octet too many', 'text/plain', 'x'.repeat(TEXT_LIMIT + 1), 'too_large'],
  ])('refuses %s', (_name, type, body, code) => {
    const read = readSubmission(type, body);
    expect(!read.ok && read.fault.code).toBe(code);
  });

  it('counts octets, not characters', () => {
    expect([tooLarge('€'.repeat(TEXT_LIMIT / 4)), tooLarge('x'.repeat(TEXT_LIMIT))]).toEqual([undefined, undefined]);
    expect(tooLarge('€'.repeat(TEXT_LIMIT / 3 + 1))?.code).toBe('too_large');
  });
});
