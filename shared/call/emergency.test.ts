import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { nationalCodes, readAnywhere, readEmergency, SERVICE_LIMIT } from './emergency.ts';

describe('what asks for help', () => {
  it.each([
    ['112', undefined, '112', 'urn:service:sos'],
    ['911', 'DE', '911', 'urn:service:sos'],
    ['1-1-2', undefined, '112', 'urn:service:sos'],
    ['*31#112', undefined, '112', 'urn:service:sos'],
    ['#31#110', 'DE', '110', 'urn:service:sos.police'],
    ['sip:112@anywhere.example;user=phone', undefined, '112', 'urn:service:sos'],
    ['sip:112;phone-context=+49@anywhere.example;user=phone', undefined, '112', 'urn:service:sos'],
    ['tel:911;phone-context=home.example', undefined, '911', 'urn:service:sos'],
    ['sips:118@h', 'IT', '118', 'urn:service:sos.ambulance'],
    ['tel:112', undefined, '112', 'urn:service:sos'],
    ['urn:service:sos', undefined, '112', 'urn:service:sos'],
    ['URN:service:SOS.Fire', 'AT', '122', 'urn:service:sos.fire'],
    ['urn:service:sos', 'US', '911', 'urn:service:sos'],
    ['urn:service:sos.animal-control', 'US', '911', 'urn:service:sos.animal-control'],
    ['urn:service:sos.police.<x>', 'DE', '110', 'urn:service:sos.police'],
    ['urn:service:sos.fire-', 'AT', '112', 'urn:service:sos'],
    ['urn:service:sos.police.x_y', 'DE', '110', 'urn:service:sos.police'],
    ['urn:service:sos;x=y', undefined, '112', 'urn:service:sos'],
    ['urn:service:sos..fire', undefined, '112', 'urn:service:sos'],
    ['999', 'GB', '999', 'urn:service:sos'],
    ['000', 'AU', '000', 'urn:service:sos'],
  ])('%s in %s', (dialled, country, number, service) => {
    expect(readEmergency(dialled, country)).toEqual({ number, service });
  });

  it.each([
    ['110', undefined],
    ['110', 'US'],
    ['999', 'DE'],
    ['1120', 'DE'],
    ['+112', undefined],
    ['112x', undefined],
    ['sip:1120@h', undefined],
    ['sip:h', undefined],
    ['urn:service:sosx', undefined],
    ['urn:service:counseling', undefined],
    ['urn:service:sos-x', undefined],
    ['urn:service:sos_x', undefined],
    ['', undefined],
  ])('not %s in %s', (dialled, country) => {
    expect(readEmergency(dialled, country)).toBeUndefined();
  });

  it('a code of any country may be one, until it is known where', () => {
    for (const country of ['AT', 'DE', 'FR', 'JP', 'ZA']) {
      for (const code of nationalCodes(country)) {
        expect(readAnywhere(`sip:${code}@h`)).toBeDefined();
        expect(readEmergency(code, country)?.number).toBe(code);
      }
    }
    expect(readAnywhere('sip:+15550100001@h')).toBeUndefined();
    expect(readAnywhere('700')).toBeUndefined();
  });

  it('no number of more than five digits asks for help, whatever stands in it', () => {
    fc.assert(
      fc.property(
        fc.stringMatching(/^[0-9]{6,15}$/),
        fc.constantFrom('DE', 'US', 'GB', undefined),
        (digits, country) => {
          expect(readEmergency(digits, country)).toBeUndefined();
        },
      ),
    );
  });

  it('a service of too many characters is the more general one', () => {
    const most = `urn:service:sos.${'a'.repeat(SERVICE_LIMIT - 18)}.b`;
    expect([readEmergency(most)?.service, readEmergency(`${most}c`)?.service]).toEqual([most, most.slice(0, -2)]);
    expect(readEmergency(`urn:service:sos.${'a'.repeat(SERVICE_LIMIT)}`)?.service).toBe('urn:service:sos');
  });
});
