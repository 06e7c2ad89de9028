/**
 * A carrier with an authority of its own: Kamailio over mutual TLS, both ways, with certificates by openssl under an intermediate one; its
 * module secsipid checks our signatures and makes those of its callers.
 */
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:https';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Peer } from '#shared/kernel/world.ts';
import { Phone, type PhoneCall } from '#simulator/phone.ts';
import { hasFile, hasProgram } from '#test/peers.ts';
import { headerIn } from '#test/support/carrier.ts';
import { authority, signer } from '#test/support/signer.ts';
import { freePort } from './free-port.ts';
import { KamailioProgram, OPENING } from './kamailio-program.ts';
import { any, type Line, LoopbackCloud } from './loopback-cloud.ts';
import { OpensslAuthority, RSA_KEY } from './openssl.ts';

const MODULES = '/usr/lib/x86_64-linux-gnu/kamailio/modules';
const here =
  hasProgram('kamailio') && ['/usr/bin/openssl', `${MODULES}/tls.so`, `${MODULES}/secsipid.so`].every(hasFile);
const DOMAIN = 'carrier.example';
const FAR = '+442071838750';

const EXTENSIONS = `
[carrier]
basicConstraints=CA:FALSE
extendedKeyUsage=serverAuth,clientAuth
subjectAltName=URI:sip:${DOMAIN},IP:127.0.0.1
`;

describe.skipIf(!here)('a carrier with TLS and signatures of its own', () => {
  let rig: LoopbackCloud;
  let ca: OpensslAuthority;
  let carrier: KamailioProgram | undefined;
  let web: Server | undefined;
  let line: Line;
  let ours: Phone;
  let far: Phone;
  let trunk: string;
  let tlsPort: number;
  const wire: string[] = [];

  beforeAll(async () => {
    rig = await LoopbackCloud.start();
    ca = new OpensslAuthority(join(rig.folder, 'carrier'), EXTENSIONS, RSA_KEY);
    const { folder } = ca;
    ca.issue('carrier', 'carrier', 'middle', RSA_KEY);
    ca.issue('other', 'root', undefined, RSA_KEY);
    writeFileSync(ca.at('chain.pem'), ca.text('carrier.pem') + ca.text('middle.pem'));
    writeFileSync(ca.at('ours.pem'), rig.cloud.config.authority.certificate);

    const sti = await authority(rig.world);
    const x5u = 'https://operator.example/chain.pem';
    const mine = await signer(rig.world, sti, x5u);
    const theirs = await signer(rig.world, sti, x5u);
    writeFileSync(ca.at('mine.pem'), mine.chain);
    writeFileSync(ca.at('theirs.key'), theirs.key.privateKey);
    web = createServer({ key: ca.text('carrier.key'), cert: ca.text('chain.pem') }, (_request, reply) =>
      reply.end(theirs.chain),
    );
    await new Promise<void>((resolve) => web?.listen(0, '127.0.0.1', resolve));
    const address = web.address();
    const repository = `127.0.0.1:${typeof address === 'object' ? address?.port : 0}`;
    await rig.ask('identity.set', {
      ...{ x5u, chain: mine.chain, key: mine.key.privateKey, authorities: sti.certificate },
      ...{ hosts: [repository], webAuthorities: ca.text('root.pem') },
    });

    line = await rig.line();
    ours = await rig.phone(line);
    const port = await freePort();
    tlsPort = await freePort();
    const trace = (direction: 'in' | 'out', one: string) => void (direction === 'in' && wire.push(one));
    far = await Phone.open({
      ...{ world: rig.world, host: '127.0.0.1', server: { host: '127.0.0.1', port }, domain: DOMAIN, trace },
      ...{ username: FAR, password: 'none' },
    });
    rig.phones.push(far);
    const peers = { port, tlsPort, far: far.address.port, sips: rig.cloud.config.bound.sips?.port ?? 0 };
    writeFileSync(ca.at('tls.cfg'), tlsSettings(folder));
    carrier = await KamailioProgram.start(
      folder,
      settings({ ...peers, folder, x5u: `https://${repository}/t.pem` }),
      port,
    );
    trunk = (await rig.ask('trunk.create', { ...base(), tls: { ca: ca.text('root.pem'), mutual: true } })).id;
    await standing('up');
  }, 40_000);
  afterAll(async () => {
    web?.close();
    await carrier?.stop();
    await rig.stop();
  });

  const base = () => ({
    ...{ name: 'Carrier', host: '127.0.0.1', port: tlsPort, transport: 'tls' as const, mode: 'address' as const },
    ...{ domain: DOMAIN, probeEvery: 1, identity: { out: 'sign' as const, in: 'require' as const } },
  });
  async function standing(state: string): Promise<string | undefined> {
    const said = () => rig.ask('trunk.get', { trunk });
    await rig.until(async () => (await said()).state === state, `${state}: ${carrier?.output.slice(-2_000)}`, 15_000);
    return (await said()).cause;
  }
  async function outcome(call: PhoneCall): Promise<PhoneCall> {
    const what = () => `an outcome: ${carrier?.output.slice(-2_000)}`;
    await rig.until(() => call.state === 'up' || call.state === 'ended', what());
    return call;
  }

  it('is called, and finds our signature good', async () => {
    const call = await outcome(await ours.dial(FAR));
    expect([call.state, call.status]).toEqual(['up', call.status]);
    const invite = wire.find((one) => one.startsWith('INVITE')) ?? '';
    expect([headerIn(invite, 'X-Checked'), headerIn(invite, 'X-Over')]).toEqual(['good', 'TLS']);
    call.hangup();
  }, 30_000);

  it('calls with its own certificate and signature', async () => {
    const call = await outcome(await far.dial(line.number));
    expect([call.state, call.status, carrier?.output.match(/ERROR.*/)?.[0]]).toEqual(['up', call.status, undefined]);
    call.hangup();
    const verified = async () => (await rig.ask('cdr.list', {})).items.some(({ verstat }) => verstat !== undefined);
    await rig.until(verified, 'the record');
    const [cdr] = (await rig.ask('cdr.list', {})).items.filter(({ verstat }) => verstat !== undefined);
    expect(cdr?.verstat).toBe('TN-Validation-Passed');
  }, 30_000);

  it('is not taken for a gateway of ours, whatever certificates it sends beside its own', async () => {
    // Somebody with the name of our authority issued one with the name of the carrier's; no key says which one is meant.
    ca.run('genpkey', '-algorithm', 'RSA', '-pkeyopt', 'rsa_keygen_bits:2048', '-out', 'fake.key');
    const name = execFileSync('/usr/bin/openssl', [
      'x509',
      '-in',
      ca.at('ours.pem'),
      '-noout',
      '-subject',
      '-nameopt',
      'RFC2253',
    ]);
    const subject = `/${String(name).trim().replace('subject=', '')}`;
    ca.run('req', '-new', '-x509', '-key', 'fake.key', '-subj', subject, '-days', '2', '-out', 'fake.pem');
    const issuing = ['-CA', 'fake.pem', '-CAkey', 'fake.key', '-CAcreateserial', '-extfile', 'x.cnf', '-days', '2'];
    ca.run('x509', '-req', '-in', 'root.csr', ...issuing, '-extensions', 'root', '-out', 'forged.pem');
    ca.issue('direct', 'carrier', 'root');
    const { certificate, key } = rig.cloud.config.server;
    const peers: Peer[] = [];
    const tls = { certificate, key, clientCa: ca.text('ours.pem') };
    const listener = await rig.world.net.listen({ ...any, tls }, (stream) => {
      peers.push(stream.peer);
      stream.destroy();
    });
    listener.believe([ca.text('root.pem')]);
    const chain = ca.text('direct.pem') + ca.text('forged.pem') + ca.text('ours.pem');
    const own = {
      ca: ca.text('ours.pem'),
      serverName: rig.cloud.config.domain,
      certificate: chain,
      key: ca.text('direct.key'),
    };
    await rig.world.net.connect({ ...listener.local, tls: own });
    await rig.until(() => peers.length > 0, 'the connection');
    expect(peers[0]).toMatchObject({ trusted: false, authority: expect.any(String) });
    await listener.close();
  }, 30_000);

  it('is neither called nor let in under another authority, and the operator sees why', async () => {
    await rig.ask('trunk.set', { trunk, ...base(), tls: { ca: ca.text('other.pem'), mutual: true } });
    expect(await standing('down')).toBe('its certificate is of an authority that is not believed');
    const alarms = (await rig.ask('alarm.list', {})).items.map(({ cause }) => cause);
    expect(alarms).toContain(`trunk-down-${trunk}`);
    const call = await outcome(await ours.dial(FAR));
    expect(call.state).toBe('ended');
    // What it proved at the time of a connection stands as long as that does; a new one is judged anew.
    await rig.ask('trunk.set', { trunk, ...base(), tls: { ca: ca.text('root.pem') } });
    expect(await standing('down')).toBe('it does not accept our certificate');
    await rig.ask('trunk.set', { trunk, ...base(), tls: { ca: ca.text('root.pem'), mutual: true } });
    expect(await standing('up')).toBeUndefined();
  }, 40_000);
});

const tlsSettings = (folder: string) => `
[server:default]
method = TLSv1.2+
private_key = ${folder}/carrier.key
certificate = ${folder}/chain.pem
ca_list = ${folder}/ours.pem
verify_certificate = yes
require_certificate = yes
[client:default]
method = TLSv1.2+
private_key = ${folder}/carrier.key
certificate = ${folder}/chain.pem
ca_list = ${folder}/ours.pem
verify_certificate = yes
require_certificate = yes
`;

interface Peers {
  readonly folder: string;
  /** UDP, for the subscriber; TLS, for us. */
  readonly port: number;
  readonly tlsPort: number;
  readonly far: number;
  readonly sips: number;
  /** Where its certificate is. */
  readonly x5u: string;
}

const settings = ({ folder, port, tlsPort, far, sips, x5u }: Peers) => `#!KAMAILIO
debug=0
log_stderror=yes
fork=yes
children=1
tcp_children=1
enable_tls=yes
listen=udp:127.0.0.1:${port}
listen=tls:127.0.0.1:${tlsPort}
alias="${DOMAIN}"
mpath="${MODULES}/"
${['tls', 'tm', 'sl', 'rr', 'pv', 'maxfwd', 'textops', 'siputils', 'secsipid'].map((name) => `loadmodule "${name}.so"`).join('\n')}
modparam("tls", "config", "${folder}/tls.cfg")
modparam("rr", "enable_double_rr", 1)
request_route {
  ${OPENING}
  record_route();
  if ($sp == ${far}) {
    if (!secsipid_add_identity("$(fU{s.strip,1})", "$(rU{s.strip,1})", "A", "", "${x5u}", "${folder}/theirs.key")) {
      sl_send_reply("500", "Not Signed");
      exit;
    }
    $du = "sip:127.0.0.1:${sips};transport=tls";
    t_relay();
    exit;
  }
  if (!secsipid_check_identity("${folder}/mine.pem")) { sl_send_reply("438", "Invalid Identity Header"); exit; }
  append_hf("X-Checked: good\\r\\n");
  append_hf("X-Over: $(pr{s.toupper})\\r\\n");
  $du = "sip:127.0.0.1:${far}";
  t_relay();
}
`;
