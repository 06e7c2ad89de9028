import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { EngineError } from '#shared/media-engine/engine.ts';
import { localEngine } from '#shared/media-engine/local.ts';
import { makeAnswer, makeOffer, readRemote } from '#shared/sip/offer-answer.ts';
import { VirtualWorld } from '#simulator/world.ts';
import { farEngine } from '#test/support/far-engine.ts';
import { Anchor, type Anchored, type AnchorReply } from './anchor.ts';

describe('anchored media', () => {
  let world: VirtualWorld;
  let engine: ReturnType<typeof localEngine>;
  let anchor: Anchor;
  const end: Anchored = { call: 'c1', leg: 'caller', host: '10.0.0.1', source: '10.0.0.9' };
  const theirs = { address: { host: '10.0.0.9', port: 4000 }, sessionId: 7 };
  const sdp = (reply: AnchorReply) => ('sdp' in reply ? (reply.sdp ?? '') : '');
  const origin = (text: string) => /^o=- (\d+)/m.exec(text)?.[1];

  beforeEach(() => {
    world = new VirtualWorld({ seed: 3 });
    const host = world.host('elm', ['10.0.0.1']);
    // Two endpoints: RTP and RTCP each.
    engine = localEngine(host, { low: 20_000, high: 20_003 });
    anchor = new Anchor(engine, host.random);
  });
  afterEach(async () => {
    await world.settle(engine.close(true));
    world[Symbol.dispose]();
  });

  it('answers an offer with its own address, and again with the same one', async () => {
    const first = sdp(await world.settle(anchor.answer(end, makeOffer(theirs))));
    const second = sdp(await world.settle(anchor.answer(end, makeOffer(theirs))));
    expect(readRemote(first)?.address).toMatchObject({ host: '10.0.0.1' });
    expect(first).not.toContain('10.0.0.9');
    expect(second).toBe(first);
  });

  it('offers, and takes the answer', async () => {
    const offer = sdp(await world.settle(anchor.offer(end)));
    expect(await world.settle(anchor.accept(end, makeAnswer(offer, theirs) ?? ''))).toEqual({});
  });

  it.each([
    ['nothing', ''],
    ['junk', 'v=0\r\nm=audio'],
    [
      'another codec',
      makeOffer(theirs)
        .replaceAll(/ 8 0/g, ' 97')
        .replaceAll(/a=rtpmap:(8|0) .*\r\n/g, ''),
    ],
  ])('refuses %s with 488', async (_what, offer) => {
    expect(await world.settle(anchor.answer(end, offer))).toEqual({ failed: 488 });
    expect(await world.settle(anchor.accept(end, offer))).toEqual({ failed: 488 });
  });

  it('without a free port, and for an end that is gone, says 503', async () => {
    await world.settle(anchor.offer(end));
    await world.settle(anchor.offer({ ...end, leg: 'callee' }));
    expect(await world.settle(anchor.offer({ ...end, call: 'c2' }))).toEqual({ failed: 503 });
    await world.settle(anchor.release('c1', 'callee'));
    expect(await world.settle(anchor.accept({ ...end, leg: 'callee' }, makeOffer(theirs)))).toEqual({ failed: 503 });
  });

  it('frees an end once, and a new one of that name is a new session', async () => {
    const before = sdp(await world.settle(anchor.offer(end)));
    await world.settle(anchor.release('c1', 'caller'));
    await world.settle(anchor.release('c1', 'caller'));
    expect(await world.settle(engine.list())).toEqual([]);
    expect(origin(sdp(await world.settle(anchor.offer({ ...end }))))).not.toBe(origin(before));
  });

  it('an end that is released while it is being made leaves nothing', async () => {
    const answering = anchor.answer(end, makeOffer(theirs));
    const releasing = anchor.release('c1', 'caller');
    await world.settle(Promise.all([answering, releasing]));
    expect(await world.settle(engine.list())).toEqual([]);
  });

  it('joins two ends of any calls; that one has just gone is nothing, that the engine is gone is told', async () => {
    const far = farEngine(world.host('far', ['10.0.0.1']), 5);
    const other = { ...end, call: 'c2' };
    const over = new Anchor(far.engine, world.host('far', ['10.0.0.1']).random);
    await world.settle(over.offer(end));
    await world.settle(over.join(end, other));
    await world.settle(over.offer(other));
    const [joining] = [over.join(end, other).catch((error: EngineError) => error.code), far.die()];
    expect(await world.settle(joining)).toBe('gone');
    await world.settle(far.engine.close(true));
  });
});
