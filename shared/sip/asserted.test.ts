import { expect, it } from 'vitest';
import { assertedIdentities } from './asserted.ts';
import { newRequest } from './message.ts';

it.each<[values: string[], uris: string[]]>([
  [[], []],
  [['<sip:+33142685300@x>'], ['sip:+33142685300@x']],
  [['"A, B" <sip:a@x>, <tel:+33142685301>'], ['sip:a@x', 'tel:+33142685301']],
  [
    ['<tel:+1>', '<sips:a@x>'],
    ['tel:+1', 'sips:a@x'],
  ],
  [['<sip:a@x>, <sips:b@x>, <sip:c@x>'], ['sip:a@x']],
  [['<tel:+1>, <tel:+2>'], ['tel:+1']],
  [['<mailto:a@x>, <sip:a@x>'], ['sip:a@x']],
  [['"\\"<sip:b@x>\\", <tel:+2>" <sip:a@x>'], ['sip:a@x']],
  [['"open <sip:b@x>, <sip:a@x>'], []],
  [['<sip:>, tel:+2'], ['tel:+2']],
])('%j', (values, uris) => {
  const headers = values.map((value) => ['P-Asserted-Identity', value] as const);
  const message = newRequest('INVITE', 'sip:b@example.com', [['From', '<sip:f@x>;tag=1'], ...headers]);
  expect(assertedIdentities(message).map(({ uri }) => uri)).toEqual(uris);
});
