import { describe, expect, it } from 'vitest';
import { pidfLo } from './location.ts';

describe('a location object', () => {
  const at = '2026-01-01T00:00:00.000Z';

  it('says address and point, in the order of RFC 5139', () => {
    const location = { country: 'US', houseNumber: '1', city: 'Springfield', postalCode: '12345', street: 'Elm' };
    const text = pidfLo({ ...location, latitude: 1.5, longitude: -2 }, 'sip:+15550100001@h', at);
    expect(text).toContain(
      '<ca:civicAddress><ca:country>US</ca:country><ca:A3>Springfield</ca:A3><ca:RD>Elm</ca:RD><ca:HNO>1</ca:HNO><ca:PC>12345</ca:PC></ca:civicAddress>',
    );
    expect(text).toContain('<gml:pos>1.5 -2</gml:pos>');
    expect(text).toContain(`<dm:timestamp>${at}</dm:timestamp>`);
    expect(text).toContain('entity="sip:+15550100001@h"');
  });

  it('leaves out what nobody said', () => {
    const text = pidfLo({ country: 'US', city: '' }, 'e', at);
    expect(text).not.toContain('A3');
    expect(text).not.toContain('gml:Point');
  });

  it('holds no markup of people’s words', () => {
    const text = pidfLo({ country: 'US', street: '</ca:RD><x a="1">&\u0007' }, '"<>&', at);
    expect(text).toContain('<ca:RD>&lt;/ca:RD&gt;&lt;x a=&quot;1&quot;&gt;&amp;</ca:RD>');
    expect(text).toContain('entity="&quot;&lt;&gt;&amp;"');
  });
});
