/** Signed callers beside programs of others: certificates and requests by openssl, PASSporTs read and written by PyJWT, over real sockets. */
import { execFileSync } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:https';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { VerbReply } from '#shared/protocol/verbs/index.ts';
import { readIdentity, writeIdentity } from '#shared/sip/identity.ts';
import { Phone, type PhoneCall } from '#simulator/phone.ts';
import { hasFile } from '#test/peers.ts';
import { headerIn } from '#test/support/carrier.ts';
import { any, LoopbackCloud } from './loopback-cloud.ts';
import { ecKey, OpensslAuthority } from './openssl.ts';

const PYTHON = '/usr/bin/python3';
const PACKAGES = '/usr/lib/python3/dist-packages';
const here = ['/usr/bin/openssl', PYTHON, `${PACKAGES}/jwt/api_jwt.py`, `${PACKAGES}/cryptography/__init__.py`].every(
  hasFile,
);
const FAR = '442071838750';

/** What openssl puts into certificates: signers with and without numbers, a web server. */
const EXTENSIONS = `
[provider]
basicConstraints=critical,CA:FALSE
keyUsage=critical,digitalSignature
1.3.6.1.5.5.7.1.26=ASN1:SEQUENCE:provider_tn
[provider_tn]
spc=EXP:0,IA5:1234
range=EXP:1,SEQUENCE:range
one=EXP:2,IA5:15550199999
[range]
start=IA5:15550100000
count=INTEGER:1000
[other]
1.3.6.1.5.5.7.1.26=ASN1:SEQUENCE:other_tn
[other_tn]
range=EXP:1,SEQUENCE:range
[plain]
basicConstraints=CA:FALSE
[strange]
1.2.3.4.5=critical,ASN1:NULL
1.3.6.1.5.5.7.1.26=ASN1:SEQUENCE:provider_tn
[web]
subjectAltName=IP:127.0.0.1
`;

const ENCODE = `
import json, jwt, sys
header, claims, key = json.load(sys.stdin)
print(jwt.encode(claims, key, algorithm=header.pop("alg"), headers=header))
`;
const DECODE = `
import json, jwt, sys
token, key = json.load(sys.stdin)
claims = jwt.decode(token, key, algorithms=["ES256"], options={"verify_iat": False})
print(json.dumps([jwt.get_unverified_header(token), claims]))
`;

describe.skipIf(!here)('signed callers beside openssl and PyJWT', () => {
  let rig: LoopbackCloud;
  let ca: OpensslAuthority;
  let web: Server;
  let repository: string;
  let line: VerbReply<'line.create'>;
  let ours: Phone;
  let carrier: Phone;
  const wire: string[] = [];

  const python = (program: string, input: unknown) =>
    execFileSync(PYTHON, ['-c', program], { input: JSON.stringify(input), encoding: 'utf8' }).trim();
  beforeAll(async () => {
    rig = await LoopbackCloud.start();
    ca = new OpensslAuthority(join(rig.folder, 'identity'), EXTENSIONS);
    ca.issue('signer', 'provider', 'middle');
    ca.issue('other', 'other', 'middle');
    ca.issue('plain', 'plain', 'middle');
    ca.issue('strange', 'strange', 'middle');
    ca.issue('lax', 'plain', 'root');
    ca.issue('under', 'provider', 'lax');
    ca.issue('curve', 'provider', 'middle', ecKey('P-384'));
    ca.issue('web', 'web', 'root');
    web = createServer({ key: ca.text('web.key'), cert: ca.text('web.pem') }, (request, reply) => {
      const name = /^\/([a-z]+)\.pem$/.exec(request.url ?? '')?.[1] ?? 'none';
      const chain = [name, name === 'under' ? 'lax' : 'middle'];
      if (existsSync(ca.at(`${name}.pem`))) reply.end(chain.map((one) => ca.text(`${one}.pem`)).join(''));
      else reply.writeHead(404).end();
    });
    await new Promise<void>((resolve) => web.listen(0, '127.0.0.1', resolve));
    const address = web.address();
    repository = `127.0.0.1:${typeof address === 'object' ? address?.port : 0}`;
    const home = await rig.ask('home.create', { name: 'Elm' });
    line = await rig.ask('line.create', { home: home.id });
    const { username, password = '', domain } = line.sip;
    ours = await phone({ username, password, domain });
    expect(await ours.register()).toBe(200);
    carrier = await phone({ username: 'carrier', password: 'none', domain: '127.0.0.1' }, wire);
    await rig.ask('trunk.create', {
      ...{ name: 'C', host: '127.0.0.1', port: carrier.address.port, mode: 'address', probeEvery: 0 },
      identity: { out: 'sign', in: 'require' },
    });
  }, 40_000);

  afterAll(async () => {
    web?.close();
    await rig.stop();
  });

  async function phone(who: { username: string; password: string; domain: string }, trace?: string[]): Promise<Phone> {
    const made = await Phone.open({
      ...{ world: rig.world, host: '127.0.0.1', server: rig.cloud.config.bound.sipUdp ?? any, ...who },
      ...(trace === undefined ? {} : { trace: (_direction: 'in' | 'out', one: string) => void trace.push(one) }),
    });
    rig.phones.push(made);
    return made;
  }

  const trusting = () => ({
    authorities: ca.text('root.pem'),
    webAuthorities: ca.text('root.pem'),
    hosts: [repository],
  });
  const outcome = (call: PhoneCall) => rig.until(() => call.state === 'up' || call.state === 'ended', 'an outcome');

  it('openssl certifies the request, numbers and all, and verifies what is signed; PyJWT reads it', async () => {
    const { request } = await rig.ask('identity.key.create', {
      ...{ subject: 'Elm Telecom', numbers: ['spc:9999', '15550100000-15550100999'] },
    });
    writeFileSync(ca.at('made.csr'), request);
    ca.sign('made', undefined, 'middle');
    const x5u = 'https://operator.example/chain.pem';
    const chain = ca.text('made.pem') + ca.text('middle.pem');
    const set = await rig.ask('identity.set', { x5u, chain, ...trusting() });
    expect(set).toMatchObject({
      signs: true,
      subject: 'Elm Telecom',
      numbers: ['spc:9999', '15550100000-15550100999'],
    });

    const call = await ours.dial(`+${FAR}`);
    await outcome(call);
    const identity = readIdentity(headerIn(wire.find((one) => one.startsWith('INVITE')) ?? '', 'Identity') ?? '');
    expect(identity).toMatchObject({ info: x5u, alg: 'ES256', ppt: 'shaken' });
    const pem = ca.run('x509', '-in', 'made.pem', '-noout', '-pubkey');
    const [header, claims] = JSON.parse(python(DECODE, [identity?.token, pem])) as [object, object];
    expect(header).toEqual({ alg: 'ES256', ppt: 'shaken', typ: 'passport', x5u });
    expect(claims).toMatchObject({ attest: 'A', dest: { tn: [FAR] }, orig: { tn: line.number.slice(1) } });

    const [head = '', body = '', signature = ''] = identity?.token.split('.') ?? [];
    writeFileSync(ca.at('input'), `${head}.${body}`);
    writeFileSync(ca.at('public.pem'), pem);
    writeFileSync(ca.at('signature'), derOf(Buffer.from(signature, 'base64url')));
    const check = () => ca.run('dgst', '-sha256', '-verify', 'public.pem', '-signature', 'signature', 'input');
    expect(check()).toContain('Verified OK');
    writeFileSync(ca.at('input'), `${head}.${body}x`);
    expect(check).toThrow('Command failed');
    call.hangup();
  }, 30_000);

  /** An Identity value made by PyJWT with one of openssl's keys. */
  function made(name: string, more: { alg?: string; claims?: object; key?: string } = {}): string {
    const x5u = `https://${repository}/${name}.pem`;
    const { alg = 'ES256', key = name } = more;
    const claims = {
      ...{ attest: 'B', dest: { tn: [line.number.slice(1)] }, iat: Math.floor(Date.now() / 1000), orig: { tn: FAR } },
      ...{ origid: '123e4567-e89b-12d3-a456-426655440000', ...more.claims },
    };
    const token = python(ENCODE, [
      { alg, ppt: 'shaken', typ: 'passport', x5u },
      claims,
      alg === 'none' ? null : ca.text(`${key}.key`),
    ]);
    return writeIdentity({ token, info: x5u, alg, ppt: 'shaken' });
  }
  async function called(identity: string): Promise<PhoneCall> {
    const call = await carrier.dial(line.number, [
      ['P-Asserted-Identity', `<sip:+${FAR}@127.0.0.1>`],
      ['Identity', identity],
    ]);
    await outcome(call);
    return call;
  }

  it('a call that PyJWT signed under openssl’s certificates rings, and its record says so', async () => {
    await rig.ask('identity.set', trusting());
    const call = await called(made('signer'));
    expect(call.state).toBe('up');
    call.hangup();
    await rig.until(async () => (await verified()).length === 2, 'the records');
  }, 30_000);
  const verified = async () =>
    (await rig.ask('cdr.list', {})).items.filter(({ verstat }) => verstat === 'TN-Validation-Passed');

  it.each<[string, number, () => string]>([
    ['with alg none', 438, () => made('signer', { alg: 'none' })],
    ['signed by another key', 438, () => made('signer', { key: 'other' })],
    ['with a certificate on another curve', 437, () => made('curve', { key: 'signer' })],
    ['with a certificate for other numbers', 437, () => made('other')],
    ['with a certificate for no numbers', 437, () => made('plain')],
    ['with a certificate of one who may not issue any', 437, () => made('under')],
    ['with a certificate that demands what nobody knows', 437, () => made('strange')],
    ['whose certificate is not where it says', 436, () => made('missing', { key: 'signer' })],
  ])(
    'a call %s is refused',
    async (_name, status, identity) => {
      await rig.ask('identity.set', trusting());
      const value = identity();
      expect((await called(value)).status).toBe(status);
    },
    30_000,
  );
});

/** An ES256 signature as openssl has it: a sequence of two integers. */
function derOf(signature: Buffer): Buffer {
  const number = (half: Buffer) => {
    const bare = half.subarray(half.findIndex((octet) => octet !== 0));
    const whole = (bare[0] ?? 0) >= 0x80 ? Buffer.concat([Buffer.of(0), bare]) : bare;
    return Buffer.concat([Buffer.of(2, whole.length), whole]);
  };
  const both = Buffer.concat([number(signature.subarray(0, 32)), number(signature.subarray(32))]);
  return Buffer.concat([Buffer.of(0x30, both.length), both]);
}
