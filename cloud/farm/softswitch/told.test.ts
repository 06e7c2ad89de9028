import { describe, expect, it } from 'vitest';
import { toldTo } from './told.ts';

const NUMBER = '+442071838750';
const told = {
  ...{ caller: { number: NUMBER, name: 'Bob' }, from: `"Bob" <sip:${NUMBER}@x>`, called: '+15550100001', domain: 'x' },
  gateway: true,
};
const verstat = 'TN-Validation-Passed' as const;

describe('who calls', () => {
  it('is vouched for towards a gateway, not towards a direct phone', () => {
    expect(toldTo({}, told)).toEqual([['P-Asserted-Identity', told.from]]);
    expect(toldTo({}, { ...told, gateway: false })).toEqual([]);
  });

  it('is told to every phone with what the check made of the number', () => {
    const checked = [['P-Asserted-Identity', `"Bob" <sip:${NUMBER};verstat=${verstat}@x;user=phone>`]];
    expect(toldTo({ verstat }, told)).toEqual(checked);
    expect(toldTo({ verstat }, { ...told, gateway: false })).toEqual(checked);
  });

  it.each([true, false])('is told to nobody where it is withheld, checked or not', (gateway) => {
    const hidden = { ...told, from: '"Anonymous" <sip:anonymous@anonymous.invalid>', gateway };
    expect(toldTo({ hidden: true, verstat }, hidden)).toEqual([['Privacy', 'id']]);
    expect(toldTo({ hidden: true }, hidden)).toEqual([['Privacy', 'id']]);
  });
});

it('says who sent the call on, but not whom that would betray', () => {
  const diverted = [{ number: '+15550100002', reason: 'user-busy', hidden: true } as const];
  expect(toldTo({ diverted }, { ...told, gateway: false })).toEqual([
    ['History-Info', '<sip:anonymous@anonymous.invalid>;index=1'],
    ['History-Info', '<sip:+15550100001@x;cause=486>;index=1.1;mp=1'],
  ]);
});
