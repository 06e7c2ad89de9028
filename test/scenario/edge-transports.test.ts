/** Phones over UDP, TCP and TLS, over IPv4 and IPv6: each registers, calls and is called, and hears the other side. */
import { describe, expect, it } from 'vitest';
import type { Address } from '#shared/kernel/world.ts';
import { Phone, type PhoneCall, type PhoneOptions } from '#simulator/phone.ts';
import { realStage } from '#simulator/real-stage.ts';
import type { Stage, StageHome, StageLine } from '#simulator/stage.ts';
import { virtualStage } from '#simulator/virtual-stage.ts';
import { tone } from '#simulator/voice.ts';
import { expectHears, TONES } from './two-homes.ts';

type Way = Pick<PhoneOptions, 'protocol' | 'tls'> & { readonly server: Address };

/** A phone of its own making, with every message that it sent and got. */
async function open(stage: Stage, options: PhoneOptions): Promise<{ readonly phone: Phone; readonly wire: string[] }> {
  const wire: string[] = [];
  const phone = await stage.ground.settle(Phone.open({ ...options, trace: (_direction, text) => wire.push(text) }));
  stage.phones.push(phone);
  expect(await stage.ground.settle(phone.register())).toBe(200);
  return { phone, wire };
}

const account = ({ sip }: StageLine) => ({
  domain: sip.domain,
  username: sip.username,
  password: sip.password ?? '',
});

/** One calls the other; both hear the other's tone. */
async function talk(stage: Stage, from: Phone, to: Phone, number: string, tones: readonly [number, number]) {
  const call = await stage.ground.settle(from.dial(number));
  await stage.ground.until(() => call.state === 'up', 10_000, 'the answer');
  await stage.ground.pass(2500);
  expectHears(call.heard(), tones[1], tones[0]);
  const other = to.calls.at(-1) as PhoneCall;
  expectHears(other.heard(), tones[0], tones[1]);
  from.hangup(call);
  await stage.ground.until(() => other.state === 'ended', 5_000, 'the end');
}

/** A phone over `way` at a gateway and one over the plain way of another home call each other, both ways. */
async function bothWays(stage: Stage, phone: Phone, line: StageLine) {
  const oak = await stage.home('oak');
  const other = await oak.phone({ answerAfter: 200, voice: tone(TONES.b, 1) });
  await stage.ground.pass(500);
  await talk(stage, phone, other, oak.lines[0]?.number ?? '', [TONES.a, TONES.b]);
  await talk(stage, other, phone, line.number, [TONES.b, TONES.a]);
}

const voice = { answerAfter: 200, voice: tone(TONES.a, 1) } as const;

/** A second host's address, its phone registered straight at the softswitch. */
async function straight(stage: Stage, host: string, world: PhoneOptions['world'], way: (stage: Stage) => Way) {
  const elm = await stage.home('elm');
  const line = await stage.line(elm, { name: 'Direct' });
  const { phone } = await open(stage, { world, host, ...account(line), ...way(stage), ...voice });
  await bothWays(stage, phone, line);
}

const ways = {
  TCP: ({ cloud }: Stage): Way => ({ protocol: 'tcp', server: cloud.config.bound.sipTcp as Address }),
  TLS: ({ cloud }: Stage): Way => ({
    protocol: 'tls',
    server: cloud.config.bound.sips as Address,
    tls: { ca: cloud.config.authority.certificate },
  }),
};

describe('straight at the softswitch, by digest and without a certificate', () => {
  for (const [name, way] of Object.entries(ways)) {
    it(`over ${name}`, async () => {
      const { stage, world } = await virtualStage({ seed: 31 });
      await using _ = stage;
      await straight(stage, '10.7.0.1', world.host('direct', ['10.7.0.1']), way);
    });
  }

  it('over TLS on the real world', async () => {
    await using stage = await realStage();
    const { world, address } = stage.ground.host('direct');
    await straight(stage, address, world, ways.TLS);
  });

  it('over TLS a wrong password opens nothing', async () => {
    const { stage, world } = await virtualStage({ seed: 32 });
    await using _ = stage;
    const line = await stage.line(await stage.home('elm'));
    const way = ways.TLS(stage);
    const at = { world: world.host('direct', ['10.7.0.1']), host: '10.7.0.1' };
    const phone = await world.settle(Phone.open({ ...at, ...account(line), ...way, password: 'guessed' }));
    expect(await world.settle(phone.register())).toBe(401);
    await world.settle(phone.close());
  });
});

describe('at the gateway', () => {
  it('over TCP', async () => {
    const { stage } = await virtualStage({ seed: 33 });
    await using _ = stage;
    const elm = await stage.home('elm');
    const phone = await elm.phone({ protocol: 'tcp', ...voice });
    await bothWays(stage, phone, elm.lines[0] as StageLine);
  });

  /** The gateway's LAN speaks IPv6, the way to the cloud IPv4: the SDP of each side is of its own family. */
  async function overIpv6(stage: Stage, elm: StageHome, phoneAt: Pick<PhoneOptions, 'world' | 'host' | 'protocol'>) {
    const { udp, tcp } = elm.gateway.status().sip;
    const line = await stage.line(elm);
    await stage.ground.pass(500);
    const server = phoneAt.protocol === 'tcp' ? tcp : udp;
    const { phone, wire } = await open(stage, { ...phoneAt, ...account(line), server, ...voice });
    await bothWays(stage, phone, line);
    const connections = wire.flatMap((text) => text.match(/^c=.*$/gm) ?? []);
    expect(connections.length).toBeGreaterThanOrEqual(4);
    for (const one of connections) expect(one).toMatch(/^c=IN IP6 [0-9a-f:]+$/);
    expect(wire.join('\n')).toMatch(/^Contact: <sip:[^@]+@\[/m);
  }

  for (const protocol of ['udp', 'tcp'] as const) {
    it(`over IPv6 and ${protocol}`, async () => {
      const { stage, world } = await virtualStage({ seed: 34 });
      await using _ = stage;
      world.host('elm', ['fd00::1']);
      const elm = await stage.home('elm', 'residential-gateway', 'fd00::1');
      await overIpv6(stage, elm, { world: world.host('six', ['fd00::2']), host: 'fd00::2', protocol });
    });
  }

  it('over IPv6 on the real world', async () => {
    await using stage = await realStage();
    const elm = await stage.home('elm', 'residential-gateway', '::1');
    await overIpv6(stage, elm, { world: elm.world, host: '::1' });
  });
});
