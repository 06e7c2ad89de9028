import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { seeded } from '../../test/support/mutate.ts';
import { seed } from '../../test/support/seed.ts';
import { IMDN_LIMIT, type Imdn, parseImdn, writeImdn } from './imdn.ts';

/** RFC 5438 section 11.1.1, shortened. */
const EXAMPLE = `<?xml version="1.0" encoding="UTF-8"?>
<imdn xmlns="urn:ietf:params:xml:ns:imdn">
  <message-id>34jk324j</message-id>
  <datetime>2008-04-04T12:16:49-05:00</datetime>
  <recipient-uri>im:bob@example.com</recipient-uri>
  <original-recipient-uri>im:bob@example.com</original-recipient-uri>
  <delivery-notification><status><delivered/></status></delivery-notification>
</imdn>`;

describe('message/imdn+xml', () => {
  it('reads the example of RFC 5438', () => {
    expect(parseImdn(EXAMPLE)).toEqual({
      messageId: '34jk324j',
      dateTime: '2008-04-04T12:16:49-05:00',
      recipientUri: 'im:bob@example.com',
      disposition: 'delivery',
      status: 'delivered',
    });
  });

  it.each([
    ['prefixed names', '<i:imdn xmlns:i="x"><i:message-id>1</i:message-id>STATUS</i:imdn>', 'i:'],
    ['comments and attributes', '<imdn a=">"><!-- > --><message-id x=\'/\'>1</message-id>STATUS</imdn>', ''],
    ['an opened status', '<imdn><message-id>1</message-id>STATUS</imdn>', ''],
  ])('reads %s', (_name, text, prefix) => {
    const status = `<${prefix}display-notification><${prefix}status><${prefix}displayed></${prefix}displayed></${prefix}status></${prefix}display-notification>`;
    expect(parseImdn(text.replace('STATUS', status))).toMatchObject({
      messageId: '1',
      disposition: 'display',
      status: 'displayed',
    });
  });

  it('resolves the references of XML', () => {
    const text = EXAMPLE.replace('34jk324j', 'a&lt;b&amp;c&#x41;&#66;');
    expect(parseImdn(text)?.messageId).toBe('a<b&cAB');
  });

  it.each([
    ['nothing', ''],
    ['no XML', 'hello'],
    ['another document', EXAMPLE.replaceAll('imdn', 'mdn')],
    ['no message id', EXAMPLE.replace('34jk324j', '')],
    ['no status', EXAMPLE.replace('<delivered/>', '')],
    ['a status of another notification', EXAMPLE.replace('<delivered/>', '<displayed/>')],
    ['an unknown entity', EXAMPLE.replace('34jk324j', '&evil;')],
    ['a plain document type', EXAMPLE.replace('?>', '?><!DOCTYPE imdn>')],
    ['a document type', EXAMPLE.replace('?>', '?><!DOCTYPE imdn [<!ENTITY a "b">]>')],
    ['crossed elements', '<imdn><message-id>1</imdn></message-id>'],
    ['an open element', '<imdn><message-id>1</message-id>'],
    ['two roots', `${EXAMPLE}<imdn/>`],
    ['text beside the root', `${EXAMPLE}x`],
    ['nine levels', `${'<a>'.repeat(9)}${'</a>'.repeat(9)}`],
    ['a number that is no character', EXAMPLE.replace('34jk324j', '&#xd800;')],
    ['more than is looked at', EXAMPLE.replace('34jk324j', 'x'.repeat(IMDN_LIMIT))],
  ])('refuses %s', (_name, text) => expect(parseImdn(text)).toBeUndefined());

  const statuses = fc.constantFrom<Pick<Imdn, 'disposition' | 'status'>>(
    { disposition: 'delivery', status: 'delivered' },
    { disposition: 'delivery', status: 'failed' },
    { disposition: 'display', status: 'displayed' },
    { disposition: 'processing', status: 'stored' },
  );
  const word = fc
    .string({ unit: 'grapheme', minLength: 1, maxLength: 40 })
    .filter((text) => text.trim() === text && [...text].every((char) => char >= ' ' && char !== '\x7f'));

  it('what is written reads as it was, whatever the texts hold', () => {
    fc.assert(
      fc.property(statuses, word, word, word, (status, messageId, dateTime, recipientUri) => {
        const imdn = { ...status, messageId, dateTime, recipientUri };
        expect(parseImdn(writeImdn(imdn))).toEqual(imdn);
      }),
      { seed },
    );
  });

  it('never throws, and takes no damaged document for another message', () => {
    const random = seeded(seed);
    for (let n = 0; n < 2_000; n++) {
      const at = Math.floor(random() * EXAMPLE.length);
      const damaged =
        EXAMPLE.slice(0, at) + String.fromCharCode(32 + Math.floor(random() * 95)) + EXAMPLE.slice(at + 1);
      const read = parseImdn(damaged);
      if (read !== undefined && !damaged.includes('34jk324j')) expect(read.messageId).not.toBe('34jk324j');
    }
  });
});
