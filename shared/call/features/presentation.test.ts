import { describe, expect, it } from 'vitest';
import { alertInfo, known } from './presentation.ts';

const GRAN = '+15550100009';
const FEATURES = {
  contacts: [
    { number: GRAN, name: 'Grandmother', ring: 'family' },
    { number: '+15550100008', name: 'Shop' },
  ],
} as const;

describe('how a call shows', () => {
  it.each([
    ['known', GRAN, false, { name: 'Grandmother', ring: 'family' }],
    ['known, rings as others', '+15550100008', false, { name: 'Shop' }],
    ['unknown', '+15550100007', false, {}],
    ['withheld: neither name nor ring betray the caller', GRAN, true, {}],
    ['no number', undefined, false, {}],
  ] as const)('%s', (_name, number, hidden, expected) => {
    expect(known(FEATURES, number, hidden)).toEqual(expected);
  });

  it.each([
    ['from outside', { inside: false, talking: 0 }, []],
    ['from the home', { inside: true, talking: 0 }, ['source:internal']],
    ['family', { ring: 'family', inside: false, talking: 0 }, ['source:family']],
    ['a friend in the home', { ring: 'friend', inside: true, talking: 0 }, ['source:friend']],
    ['while the line talks', { ring: 'family', inside: false, talking: 1 }, ['service:call-waiting', 'source:family']],
    ['a stranger while it talks', { inside: false, talking: 2 }, ['service:call-waiting']],
  ] as const)('rings %s', (_name, how, alerts) => {
    expect(alertInfo(how)).toEqual(alerts.map((one) => ['Alert-Info', `<urn:alert:${one}>`]));
  });
});
