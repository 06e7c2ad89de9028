/** A browser's phone (JsSIP) at our softswitch, over WebSockets in the clear and over TLS. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Phone } from '#simulator/phone.ts';
import { BrowserPhone } from './browser-phone.ts';
import { any, type Line, LoopbackCloud } from './loopback-cloud.ts';

let rig: LoopbackCloud;
let browsers: BrowserPhone[];

beforeEach(async () => {
  browsers = [];
  rig = await LoopbackCloud.start({ ws: any, wss: any });
});
afterEach(async () => {
  for (const browser of browsers) browser.stop();
  await rig.stop();
});

const line = () => rig.line();

async function browser(of: Line, scheme: 'ws' | 'wss', profile?: string): Promise<BrowserPhone> {
  const { config } = rig.cloud;
  const phone = new BrowserPhone({
    url: `${scheme}://127.0.0.1:${config.bound[scheme]?.port}/sip`,
    ca: config.authority.certificate,
    uri: `sip:${of.sip.username}@${of.sip.domain}`,
    password: of.sip.password ?? '',
    ...(profile === undefined ? {} : { profile }),
  });
  browsers.push(phone);
  phone.start();
  await rig.until(() => phone.ua.isRegistered(), 'the registration');
  return phone;
}

const phone = (of: Line): Promise<Phone> => rig.phone(of);

describe.each(['ws', 'wss'] as const)('JsSIP over %s', (scheme) => {
  it('registers, calls a phone, is called by it, and keeps its calls apart', async () => {
    const [mine, other] = [await line(), await line()];
    const page = await browser(mine, scheme);
    const desk = await phone(other);
    const out = page.call(`sip:${other.number}@${other.sip.domain}`);
    await rig.until(() => out.isEstablished(), 'the answer of the desk');
    await rig.until(() => desk.calls.length === 1 && desk.calls[0]?.state === 'up', 'the call at the desk');
    out.terminate();
    await rig.until(() => desk.calls[0]?.state === 'ended', 'the BYE of the page');
    const back = await desk.dial(mine.number);
    await rig.until(() => page.sessions.length === 2, 'the INVITE at the page');
    page.sessions[1]?.answer({ mediaConstraints: { audio: false, video: false } });
    await rig.until(() => back.state === 'up', 'the answer of the page');
    back.hangup();
    await rig.until(() => page.sessions[1]?.isEnded() === true, 'the BYE of the desk');
    await rig.until(async () => (await rig.ask('cdr.list', {})).items.length === 4, 'a CDR for every leg');
  });

  it('two pages call each other, each through its own connection', async () => {
    const [a, b] = [await line(), await line()];
    const [caller, callee] = [await browser(a, scheme), await browser(b, scheme)];
    const call = caller.call(`sip:${b.number}@${b.sip.domain}`);
    await rig.until(() => callee.sessions.length === 1, 'the INVITE');
    callee.sessions[0]?.answer({ mediaConstraints: { audio: false, video: false } });
    await rig.until(() => call.isEstablished() && callee.sessions[0]?.isEstablished() === true, 'the call');
    callee.sessions[0]?.terminate();
    await rig.until(() => call.isEnded(), 'the BYE');
  });

  it('what a real browser offers is refused with 488, since no media server here speaks DTLS', async () => {
    const [a, b] = [await line(), await line()];
    const [page] = [await browser(a, scheme, 'UDP/TLS/RTP/SAVPF')];
    await phone(b);
    const causes: unknown[] = [];
    const call = page.call(`sip:${b.number}@${b.sip.domain}`);
    call.on('failed', ({ message }) => causes.push((message as { status_code?: number } | undefined)?.status_code));
    await rig.until(() => call.isEnded(), 'the refusal');
    expect(causes).toEqual([488]);
  });

  it('a connection that is gone takes its registration with it', async () => {
    const mine = await line();
    const page = await browser(mine, scheme);
    const there = async () => (await rig.ask('registration.list', { lines: [mine.id] })).items.length;
    expect(await there()).toBe(1);
    page.socket.cut();
    await rig.until(async () => (await there()) === 0, 'the end of the registration');
  });
});
