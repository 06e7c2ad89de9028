/** Trunks towards Kamailio over real sockets: one carrier wants registration and digest, the other trusts our address; calls both ways. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { VerbReply } from '#shared/protocol/verbs/index.ts';
import { levelOf, sine } from '#shared/rtp/measure.ts';
import { readIdentity } from '#shared/sip/identity.ts';
import { readToken } from '#shared/sip/passport.ts';
import { Phone } from '#simulator/phone.ts';
import { hasProgram } from '#test/peers.ts';
import { headerIn } from '#test/support/carrier.ts';
import { authority, signer } from '#test/support/signer.ts';
import { freePort } from './free-port.ts';
import { CARRIER, startCarrier } from './kamailio.ts';
import type { KamailioProgram } from './kamailio-program.ts';
import { any, LoopbackCloud } from './loopback-cloud.ts';

const FAR = '+442071838750';

describe.skipIf(!hasProgram('kamailio'))('trunks to Kamailio', () => {
  let rig: LoopbackCloud;
  let carriers: KamailioProgram[];
  let line: VerbReply<'line.create'>;
  let ours: Phone;
  /** The subscribers of the two carriers. */
  let far: readonly [Subscriber, Subscriber];
  let ports: readonly [number, number];

  interface Subscriber {
    readonly phone: Phone;
    readonly wire: string[];
  }

  beforeEach(async () => {
    rig = await LoopbackCloud.start();
    carriers = [];
    const home = await rig.ask('home.create', { name: 'Elm' });
    line = await rig.ask('line.create', { home: home.id, name: 'Kitchen' });
    ours = await phone(
      rig.cloud.config.bound.sipUdp ?? any,
      line.sip.username,
      line.sip.password ?? '',
      line.sip.domain,
    );
    expect(await ours.register()).toBe(200);
    ports = [await freePort(), await freePort()];
    far = [await subscriber(ports[0]), await subscriber(ports[1])];
    const own = rig.cloud.config.bound.sipUdp ?? any;
    const common = { folder: rig.folder };
    carriers.push(
      await startCarrier({
        ...{ ...common, name: 'a', port: ports[0], far: far[0].phone.address, to: 'registered', refuses: '+4999' },
      }),
      await startCarrier({ ...common, name: 'b', port: ports[1], far: far[1].phone.address, to: own }),
    );
    const { domain, username, password } = CARRIER;
    await rig.ask('trunk.create', {
      ...{ name: 'A', host: '127.0.0.1', port: ports[0], mode: 'register', domain, username, password, priority: 1 },
    });
    await rig.ask('trunk.create', {
      name: 'B',
      host: '127.0.0.1',
      port: ports[1],
      mode: 'address',
      domain,
      priority: 2,
    });
    await rig.until(async () => (await trunks()).every(({ state }) => state === 'up'), 'both trunks');
  }, 30_000);

  afterEach(async () => {
    for (const carrier of carriers) await carrier.stop();
    await rig.stop();
  });

  const trunks = async () => (await rig.ask('trunk.list', {})).items;

  async function phone(
    server: { host: string; port: number },
    username: string,
    password: string,
    domain: string,
    trace?: string[],
  ) {
    const made = await Phone.open({
      ...{ world: rig.world, host: '127.0.0.1', server, domain, username, password, voice: sine(600, -10, 8000) },
      ...(trace === undefined ? {} : { trace: (_direction: 'in' | 'out', text: string) => void trace.push(text) }),
    });
    rig.phones.push(made);
    return made;
  }

  async function subscriber(port: number): Promise<Subscriber> {
    const wire: string[] = [];
    return { phone: await phone({ host: '127.0.0.1', port }, 'far', 'none', CARRIER.domain, wire), wire };
  }

  it('registers with digest', async () => {
    expect((await trunks()).map(({ name, registered }) => [name, registered])).toEqual([
      ['A', true],
      ['B', undefined],
    ]);
  });

  it('calls out with digest, both are heard, and nothing inside is seen outside', async () => {
    const call = await ours.dial(FAR);
    await rig.until(() => call.state === 'up', `the answer: ${call.status} ${carriers[0]?.output}`);
    const [incoming] = far[0].phone.calls;
    expect(incoming?.from).toContain(line.number);
    await rig.until(() => (incoming?.heard().length ?? 0) > 8_000 && call.heard().length > 8_000, 'sound both ways');
    expect(levelOf(call.heard().slice(-4_000), 600)).toBeGreaterThan(-30);
    const invite = far[0].wire.find((text) => text.startsWith('INVITE')) ?? '';
    expect(invite).toMatch(/^INVITE sip:\+442071838750@/);
    expect(headerIn(invite, 'P-Asserted-Identity')).toContain(line.number);
    const port = String(ours.address.port);
    expect(far[0].wire.filter((text) => text.includes(line.sip.username) || text.includes(`:${port}`))).toEqual([]);
    call.hangup();
    await rig.until(() => incoming?.state === 'ended', 'the end there');
  }, 30_000);

  it('brings our signature and who sent the call on through the carrier as they are', async () => {
    const root = await authority(rig.world);
    const x5u = 'https://operator.example/chain.pem';
    const mine = await signer(rig.world, root, x5u);
    await rig.ask('identity.set', { x5u, chain: mine.chain, key: mine.key.privateKey });
    const [one] = await trunks();
    const { name = '', host = '', port = 0, domain = '', username = '' } = one ?? {};
    const set = { name, host, port, domain, username, mode: 'register' as const, priority: 1 };
    await rig.ask('trunk.set', { trunk: one?.id ?? '', ...set, identity: { out: 'sign' }, forwarded: 'both' });
    await rig.until(async () => (await trunks()).every(({ state }) => state === 'up'), 'both trunks');
    const home = (await rig.ask('home.list', {})).items[0]?.id ?? '';
    const by = await rig.ask('line.create', { home, name: 'Hall' });
    await rig.ask('line.features.set', { home, line: by.id, features: { forward: { always: FAR } } });
    const call = await ours.dial(by.number);
    await rig.until(() => call.state === 'up', `the answer: ${call.status} ${carriers[0]?.output}`);
    const invite = far[0].wire.find((text) => text.startsWith('INVITE')) ?? '';
    const identity = readIdentity(headerIn(invite, 'Identity') ?? '');
    const token = readToken(identity?.token ?? '');
    expect(token?.passport).toMatchObject({ attest: 'A', orig: by.number.slice(1), dest: { tn: [FAR.slice(1)] }, x5u });
    const input = new TextEncoder().encode(token?.input);
    expect(await rig.world.crypto.verify(mine.key.publicKey, input, token?.signature ?? input)).toBe(true);
    expect(headerIn(invite, 'Diversion')).toContain(`<sip:${by.number}@`);
    expect(invite.match(/^History-Info: .*$/gm)).toHaveLength(2);
    call.hangup();
  }, 30_000);

  it('is called by the number, by registration and by address', async () => {
    for (const one of far) {
      const before = ours.calls.length;
      const call = await one.phone.dial(line.number);
      await rig.until(() => call.state === 'up', `the answer: ${call.status}`);
      expect(ours.calls).toHaveLength(before + 1);
      call.hangup();
      await rig.until(() => ours.calls.at(-1)?.state === 'ended', 'the end');
    }
  }, 30_000);

  it('goes on to the second carrier where the first is full, or dead', async () => {
    const full = await ours.dial('+4999123456');
    await rig.until(() => full.state === 'up', `the answer: ${full.status}`);
    expect([far[0].phone.calls.length, far[1].phone.calls.length]).toEqual([0, 1]);
    full.hangup();
    await carriers[0]?.stop();
    const dead = await ours.dial(FAR);
    await rig.until(() => dead.state === 'up', `the answer: ${dead.status}`);
    expect(far[1].phone.calls).toHaveLength(2);
    dead.hangup();
  }, 40_000);

  it('says why a registration is refused, has it anew after the carrier started again, and trusts nobody else', async () => {
    const [one] = await trunks();
    const { id = '', port = 0 } = one ?? {};
    const { domain, username } = CARRIER;
    const set = {
      trunk: id,
      name: 'A',
      host: '127.0.0.1',
      port,
      domain,
      username,
      mode: 'register' as const,
      priority: 1,
    };
    const first = async () => (await trunks())[0];
    await rig.ask('trunk.set', { ...set, password: 'wrong' });
    await rig.until(async () => (await first())?.state === 'down', 'the refusal');
    expect((await first())?.cause).toBe('answered 401');
    await rig.ask('trunk.set', { ...set, password: CARRIER.password, probeEvery: 1 });
    await rig.until(async () => (await first())?.registered === true, 'the registration');
    await carriers[0]?.stop();
    // Its silence is seen by a call sooner than by OPTIONS.
    const around = await ours.dial(FAR);
    await rig.until(() => around.state === 'up', `the answer by the other: ${around.status}`);
    around.hangup();
    expect(await first()).toMatchObject({ state: 'down', cause: 'no answer', registered: true });
    const common = { folder: rig.folder, far: far[0].phone.address };
    carriers.push(await startCarrier({ ...common, name: 'c', port: ports[0], to: 'registered' }));
    await rig.until(async () => (await first())?.state === 'up', 'the carrier');
    const call = await far[0].phone.dial(line.number);
    await rig.until(() => call.state === 'up', `the answer: ${call.status}`);
    call.hangup();
    const stranger = await phone(rig.cloud.config.bound.sipUdp ?? any, 'far', 'none', CARRIER.domain);
    const forged = await stranger.dial(line.number, [['P-Asserted-Identity', `<sip:${FAR}@${CARRIER.domain}>`]]);
    await rig.until(() => forged.state === 'ended', 'the refusal');
    expect(forged.status).toBe(401);
  }, 60_000);
});
