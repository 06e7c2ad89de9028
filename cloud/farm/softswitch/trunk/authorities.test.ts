import { beforeAll, describe, expect, it } from 'vitest';
import { hostWorld } from '#shared/host/world.ts';
import { NetError, type Peer } from '#shared/kernel/world.ts';
import { authority } from '#test/support/signer.ts';
import { AUTHORITIES, certificatesIn, TrunkAuthorities } from './authorities.ts';
import { certificateFault } from './tls-cause.ts';

const { crypto, clock } = hostWorld();
const trunk = (ca: string, more = {}) => ({
  id: 'trk_1',
  settings: { name: 'C', host: 'Carrier.test', mode: 'address' as const, tls: { ca }, ...more },
});
let [own, other] = ['', ''];
let keyHash = '';
type Shown = Partial<Extract<Peer, { kind: 'certificate' }>>;
const unproven = (more: Shown = {}): Peer => ({
  ...{ kind: 'certificate', subject: 's', keyHash: 'k', trusted: false, selfSigned: false, serial: '1' },
  ...{ domains: ['carrier.test'], ...more },
});
const peer = (more: Shown = {}) => unproven({ authority: keyHash, ...more });

beforeAll(async () => {
  const [one, two] = [await authority({ crypto, clock }), await authority({ crypto, clock })];
  [own, other] = [one.certificate, two.certificate];
  keyHash = one.key.keyHash;
});

describe('a carrier with an authority of its own', () => {
  it.each<[string, () => Peer, carrier: boolean, claims: boolean]>([
    ['is known by authority and name', () => peer(), true, true],
    ['is known by its domain', () => peer({ domains: ['x.test', 'd.test'] }), true, true],
    ['is not of another authority', () => peer({ authority: 'else' }), false, true],
    ['is not of none', () => unproven(), false, true],
    ['is not of another name', () => peer({ domains: ['sub.carrier.test'] }), false, false],
    ['is not without a name', () => peer({ domains: [] }), false, false],
    ['is not a gateway of ours', () => unproven({ trusted: true }), false, false],
    ['is not without a certificate', () => ({ kind: 'none' }), false, false],
  ])('%s', async (_name, made, carrier, claims) => {
    const known = new TrunkAuthorities(crypto);
    const c = trunk(own, { domain: 'd.TEST' });
    expect(await known.load([c, { ...trunk(other), id: 'trk_2' }])).toEqual([own, other].map((one) => one.trim()));
    expect([known.isCarrier(c, made()), known.claimsToBe(c, made())]).toEqual([carrier, claims]);
    await known.load([]);
    expect([known.isCarrier(c, made()), known.claimsToBe(c, made())]).toEqual([false, false]);
  });

  it('may have so many of them, and what is none is left out', async () => {
    const known = new TrunkAuthorities(crypto);
    const none = '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n';
    expect(await known.load([trunk(`${none}x${own}`)])).toHaveLength(1);
    expect(certificatesIn(none.repeat(AUTHORITIES + 1))).toHaveLength(AUTHORITIES);
    expect(await known.load([trunk(own), { ...trunk(own), id: 'trk_2' }])).toHaveLength(1);
  });
});

it.each([
  ['SELF_SIGNED_CERT_IN_CHAIN', '', 'its certificate is of an authority that is not believed'],
  ['ECERT', 'x: the server’s certificate is not believed', 'its certificate is of an authority that is not believed'],
  ['ECERT', 'the certificate does not speak for the SIP domain', 'its certificate speaks for another name'],
  ['CERT_HAS_EXPIRED', '', 'its certificate is over'],
  ['ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED', '', 'it does not accept our certificate'],
  ['ECONNREFUSED', '', undefined],
  ['constructor', '', undefined],
])('%s %s: %s', (code, message, why) => expect(certificateFault(new NetError(code, message))).toBe(why));
