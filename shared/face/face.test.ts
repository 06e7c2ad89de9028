/** The face's users: two programs on the virtual world, and what they are told when something is wrong. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SipTransport } from '#shared/host/sip.ts';
import { sipHash } from '#shared/host/sip-hash.ts';
import { levelOf, sine } from '#shared/rtp/measure.ts';
import { challenge, digestHa1, makeNonce, parseCredentials, verify } from '#shared/sip/digest.ts';
import { Endpoint as Stack } from '#shared/sip/endpoint.ts';
import { VirtualWorld } from '#simulator/world.ts';
import { seed } from '#test/support/seed.ts';
import type { Account } from './account.ts';
import type { Call } from './call.ts';
import { Endpoint } from './endpoint.ts';

let world: VirtualWorld;
beforeEach(() => {
  world = new VirtualWorld({ seed });
});
afterEach(() => world[Symbol.dispose]());

async function program(host: string, config: { readonly registrar?: string; readonly password?: string } = {}) {
  const endpoint = new Endpoint(world.host(host, [host]));
  const opened = await world.settle(endpoint.createTransport({ protocol: 'udp', host, port: 5060 }));
  if (!opened.ok) throw new Error(opened.fault.text);
  const account = endpoint.createAccount({ id: `sip:user@${host}`, ...config });
  const calls: Call[] = [];
  account.onIncomingCall = (call) => calls.push(call);
  return { endpoint, account, calls };
}

async function dialled(from: Account, to: string, play?: Int16Array): Promise<Call> {
  const made = await world.settle(from.makeCall(to, play === undefined ? {} : { play }));
  if (!made.ok) throw new Error(made.fault.text);
  return made.value;
}

describe('a call between two programs', () => {
  it('rings, is answered, carries sound and digits both ways, is held, and ends at both ends', async () => {
    const [a, b] = [await program('10.0.0.1'), await program('10.0.0.2')];
    const call = await dialled(a.account, 'sip:user@10.0.0.2', sine(440, -17, 8000));
    await world.until(() => b.calls.length === 1, 1_000, 'the call');
    const there = b.calls[0] as Call;
    there.ring();
    await world.until(() => call.state === 'early', 1_000, 'the ringing');
    there.play(sine(660, -17, 8000), true);
    expect(there.answer()).toMatchObject({ ok: true });
    expect(await world.settle(call.answered())).toMatchObject({ ok: true });
    await world.run(2_000);
    expect(levelOf(there.heard().slice(4000, 12_000), 440)).toBeGreaterThan(-20);
    expect(levelOf(call.heard().slice(4000, 12_000), 660)).toBeGreaterThan(-20);
    await world.settle(call.dialDtmf('42#'));
    await world.run(200);
    expect(there.digits).toBe('42#');
    expect(await world.settle(call.setHold(true))).toMatchObject({ ok: true });
    const before = call.received;
    await world.run(500);
    expect(call.received - before).toBeLessThan(3);
    expect(await world.settle(call.setHold(false))).toMatchObject({ ok: true });
    await world.run(500);
    expect(call.received - before).toBeGreaterThan(20);
    there.hangup();
    expect([await world.settle(there.ended()), await world.settle(call.ended())]).toEqual([
      { by: 'us' },
      { by: 'them' },
    ]);
    expect([a.endpoint.calls, b.endpoint.calls]).toEqual([[], []]);
  });

  it('bridges sound as it is made', async () => {
    const [a, b] = [await program('10.0.0.1'), await program('10.0.0.2')];
    const call = await dialled(a.account, 'sip:user@10.0.0.2', sine(440, -17, 8000));
    await world.until(() => b.calls.length === 1, 1_000, 'the call');
    const there = b.calls[0] as Call;
    const heard: number[] = [];
    const said = sine(850, -17, 160);
    let frames = 0;
    there.connect({
      send: (frame) => {
        frame.set(said);
        return true;
      },
      heard: (frame) => {
        frames++;
        heard.push(...frame);
      },
    });
    there.answer();
    await world.run(2_000);
    expect(frames).toBeGreaterThan(95);
    expect(levelOf(Int16Array.from(heard).slice(4000, 12_000), 440)).toBeGreaterThan(-20);
    expect(levelOf(call.heard().slice(4000, 12_000), 850)).toBeGreaterThan(-20);
    call.hangup();
  });
});

describe('what goes wrong is a value', () => {
  it.each([
    [486, 'busy'],
    [603, 'declined'],
    [404, 'not_found'],
    [480, 'offline'],
    [488, 'no_codec'],
    [403, 'refused'],
    [503, 'overloaded'],
  ])('a refusal with %i is %s', async (status, code) => {
    const [a, b] = [await program('10.0.0.1'), await program('10.0.0.2')];
    b.account.onIncomingCall = (call) => call.hangup(status);
    const call = await dialled(a.account, 'sip:user@10.0.0.2');
    const up = await world.settle(call.answered());
    expect(up).toMatchObject({ ok: false, fault: { code, status } });
    expect(call.state).toBe('disconnected');
  });

  it('nobody there, no transport, no address', async () => {
    const a = await program('10.0.0.1');
    const call = await dialled(a.account, 'sip:user@10.0.0.9');
    expect(await world.settle(call.answered())).toMatchObject({ ok: false, fault: { code: 'unreachable' } });
    const none = await world.settle(a.account.makeCall('sip:user@10.0.0.2;transport=tcp'));
    expect(none).toMatchObject({ ok: false, fault: { code: 'no_transport' } });
    const junk = await world.settle(a.account.makeCall('sip:'));
    expect(junk).toMatchObject({ ok: false, fault: { code: 'bad_address' } });
  });

  it('a caller that gives up, and one that nobody serves', async () => {
    const [a, b] = [await program('10.0.0.1'), await program('10.0.0.2')];
    const call = await dialled(a.account, 'sip:user@10.0.0.2');
    await world.until(() => b.calls.length === 1, 1_000, 'the call');
    call.hangup();
    expect(await world.settle((b.calls[0] as Call).ended())).toEqual({ by: 'them' });
    expect(await world.settle(call.answered())).toMatchObject({ ok: false, fault: { code: 'cancelled' } });
    b.account.onIncomingCall = undefined;
    const again = await dialled(a.account, 'sip:user@10.0.0.2');
    expect(await world.settle(again.answered())).toMatchObject({ ok: false, fault: { code: 'offline' } });
  });
});

describe('a registration', () => {
  const realm = 'not the host';
  const secret = '0'.repeat(64);

  /** A registrar that knows one password and grants 60 s. */
  async function registrar(host: string, password: string): Promise<string[]> {
    const at = world.host(host, [host]);
    const hash = sipHash(at.crypto);
    const seen: string[] = [];
    const stack = new Stack({ random: at.random, hash });
    const transport: SipTransport = new SipTransport(at, {
      endpoint: stack,
      onOutput(output) {
        if (output.do !== 'request') return;
        const { message, transaction } = output;
        const given = parseCredentials(message.header('Authorization') ?? '');
        const ha1 = {
          md5: digestHa1('MD5', 'user', realm, password, hash),
          sha256: digestHa1('SHA-256', 'user', realm, password, hash),
        };
        const { method, uri } = message;
        const right = given !== undefined && verify({ credentials: given, method, uri, ha1, hash });
        seen.push(`${message.expires} ${given === undefined ? 'bare' : right ? 'right' : 'wrong'}`);
        const nonce = makeNonce(at.clock.wall(), secret, hash);
        const headers: [string, string][] = right
          ? [['Contact', `${message.header('Contact')};expires=60`]]
          : challenge({ realm, nonce }).map((value) => ['WWW-Authenticate', value]);
        transport.act((now, out) => stack.reply(transaction, right ? 200 : 401, { headers }, now, out));
      },
    });
    await world.settle(transport.bind({ udp: { host, port: 5060 } }));
    return seen;
  }

  it('learns the realm, is refreshed in time, and is taken back', async () => {
    const seen = await registrar('10.0.0.3', 'secret');
    const a = await program('10.0.0.1', { registrar: 'sip:10.0.0.3', password: 'secret' });
    expect(await world.settle(a.account.register())).toEqual({ ok: true, value: { active: true, expires: 60 } });
    expect(seen).toEqual(['300 bare', '300 bare', '300 right']);
    await world.run(31_000);
    expect(seen.slice(3)).toEqual(['300 bare', '300 right']);
    await world.settle(a.endpoint.destroy());
    expect(seen.slice(5)).toEqual(['0 bare', '0 right']);
    expect(a.account.registered).toBe(false);
  });

  it('with a wrong password says so, tries again later, and then is told of the right one', async () => {
    const seen = await registrar('10.0.0.3', 'secret');
    const a = await program('10.0.0.1', { registrar: 'sip:10.0.0.3', password: 'guess' });
    const outcome = await world.settle(a.account.register());
    expect(outcome).toMatchObject({ ok: false, fault: { code: 'wrong_password', status: 401 } });
    expect(outcome.ok ? '' : outcome.fault.next).toContain('password');
    const before = seen.length;
    await world.run(31_000);
    expect(seen.length).toBeGreaterThan(before);
  });

  it('with nobody there says so', async () => {
    const a = await program('10.0.0.1', { registrar: 'sip:10.0.0.8', password: 'secret' });
    expect(await world.settle(a.account.register())).toMatchObject({ ok: false, fault: { code: 'unreachable' } });
  });
});
