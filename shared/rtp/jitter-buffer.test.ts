import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { mu } from './g711.ts';
import { JitterBuffer } from './jitter-buffer.ts';

const FIRST = 0xffff_f000;
/** A code that differs from sample to sample, never the code of silence. */
const codeAt = (i: number): number => {
  const mixed = Math.imul(i ^ (i >>> 15), 2_246_822_519);
  return (Math.imul(mixed ^ (mixed >>> 13), 3_266_489_917) >>> 24) & 0x7e;
};
const sampleAt = (i: number): number => mu.decode[codeAt(i)] as number;

class Feed {
  readonly buffer = new JitterBuffer();
  readonly out: number[] = [];
  size: number;
  shift = 0;
  ssrc = 1;
  constructor(size = 160) {
    this.size = size;
  }
  put(n: number): void {
    const data = Uint8Array.from({ length: this.size }, (_, i) => codeAt(n * this.size + i));
    const timestamp = (FIRST + this.shift + n * this.size) >>> 0;
    this.buffer.put(this.ssrc, n & 0xffff, timestamp, data, 0, data.length, mu.decode);
  }
  take(): boolean {
    const frame = new Int16Array(160);
    const live = this.buffer.take(frame);
    this.out.push(...frame);
    return live;
  }
  /** Where sample `i` of the source came out; -1 when it did not. */
  placeOf(i: number): number {
    const wanted = Array.from({ length: 40 }, (_, k) => sampleAt(i + k));
    return this.out.findIndex((_, at) => wanted.every((sample, k) => this.out[at + k] === sample));
  }
}

describe('JitterBuffer', () => {
  it('gives a steady stream out unchanged, 20 ms later', () => {
    const feed = new Feed();
    for (let n = 0; n < 200; n++) {
      feed.put(n);
      expect(feed.take()).toBe(true);
    }
    expect(feed.out.slice(0, 160).every((sample) => sample === 0)).toBe(true);
    for (let i = 0; i < 199 * 160; i++) expect(feed.out[160 + i]).toBe(sampleAt(i));
    expect(feed.buffer.concealed).toBe(1);
    expect(feed.buffer.late).toBe(0);
  });

  it.each([80, 240, 320])('takes packets of %i samples', (size) => {
    const feed = new Feed(size);
    let sent = 0;
    for (let tick = 0; tick < 300; tick++) {
      while (sent * size <= tick * 160) feed.put(sent++);
      feed.take();
    }
    const at = feed.placeOf(8000);
    expect(at).toBeGreaterThan(8000);
    for (let i = 0; i < 8000; i++) expect(feed.out[at + i]).toBe(sampleAt(8000 + i));
  });

  it('gives out any order within its delay as if it had been in order, doubles included', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.integer({ min: 0, max: 2 }), fc.boolean()), { minLength: 60, maxLength: 60 }),
        (plan) => {
          const feed = new Feed();
          const waiting: { n: number; at: number }[] = [];
          feed.put(0);
          feed.put(1);
          feed.put(2);
          for (let n = 3; n < 63; n++) {
            const [late, twice] = plan[n - 3] ?? [0, false];
            waiting.push({ n, at: n + late }, ...(twice ? [{ n, at: n + 1 }] : []));
          }
          for (let tick = 3; tick < 66; tick++) {
            for (const { n } of waiting.filter(({ at }) => at === tick)) feed.put(n);
            feed.take();
          }
          // Three packets lay ahead, so two ticks of lateness lose nothing.
          expect(feed.buffer.late).toBe(plan.some(([, twice]) => twice) ? feed.buffer.late : 0);
          const at = feed.placeOf(0);
          for (let i = 0; i < 58 * 160; i++) expect(feed.out[at + i]).toBe(sampleAt(i));
        },
      ),
      { numRuns: 60 },
    );
  });

  it('conceals a lost packet with what came before, fading, and goes on in place', () => {
    const feed = new Feed();
    // Late enough for the ring to have come round: nothing old may be heard in the gap.
    for (let n = 0; n < 100; n++) {
      if (n !== 60) feed.put(n);
      feed.take();
    }
    const place = feed.placeOf(59 * 160);
    const before = feed.out.slice(place, place + 160);
    const gap = feed.out.slice(place + 160, place + 320);
    expect(gap[0]).toBe(before[0]);
    const energy = (part: number[]): number => part.reduce((sum, sample) => sum + sample * sample, 0);
    expect(energy(gap.slice(80))).toBeLessThan(energy(before.slice(80)));
    expect(energy(gap)).toBeGreaterThan(0);
    expect(feed.placeOf(62 * 160) - place).toBeGreaterThanOrEqual(3 * 160);
  });

  it('counts a packet that comes after its time and leaves it out', () => {
    const feed = new Feed();
    for (let n = 0; n < 20; n++) {
      feed.put(n);
      feed.take();
    }
    feed.put(5);
    feed.put(6);
    expect(feed.buffer.late).toBe(2);
    feed.put(20);
    feed.take();
    expect(feed.out.slice(-160)).toEqual(Array.from({ length: 160 }, (_, i) => sampleAt(19 * 160 + i)));
  });

  it('lengthens its delay up to 60 ms for a stream that stalls, and shortens it when the network is calm again', () => {
    const feed = new Feed();
    let sent = 0;
    feed.put(sent++);
    for (let round = 0; round < 12; round++) {
      // Packets come in bursts of three every 60 ms, just too late for the first of them.
      for (let i = 0; i < 3; i++) feed.take();
      for (let i = 0; i < 3; i++) feed.put(sent++);
    }
    expect(feed.buffer.delay).toBeGreaterThan(20);
    expect(feed.buffer.delay).toBeLessThanOrEqual(60);
    const missed = feed.buffer.concealed;
    for (let round = 0; round < 20; round++) {
      for (let i = 0; i < 3; i++) feed.take();
      for (let i = 0; i < 3; i++) feed.put(sent++);
    }
    expect(feed.buffer.concealed).toBe(missed);
    for (let tick = 0; tick < 1000; tick++) {
      feed.put(sent++);
      feed.take();
    }
    expect(feed.buffer.delay).toBe(20);
    const last = feed.placeOf((sent - 6) * 160);
    expect(feed.out.length - last).toBeLessThanOrEqual(8 * 160);
  });

  it('keeps up with a sender whose clock is fast or slow', () => {
    for (const step of [0.998, 1.002]) {
      const feed = new Feed();
      let sent = 0;
      for (let tick = 0; tick < 6000; tick++) {
        while (sent <= tick * step) feed.put(sent++);
        feed.take();
      }
      const last = feed.placeOf((sent - 10) * 160);
      expect(last).toBeGreaterThan(0);
      expect(feed.out.length - last).toBeLessThan(16 * 160);
    }
  });

  it('begins anew with another source, and after a jump of time that the next packet confirms', () => {
    const feed = new Feed();
    let sent = 0;
    const run = (ticks: number): void => {
      for (let i = 0; i < ticks; i++) {
        feed.put(sent++);
        feed.take();
      }
    };
    run(20);
    feed.shift = 1_000_000;
    run(20);
    expect(feed.placeOf((sent - 5) * 160)).toBeGreaterThan(0);
    feed.shift = -5_000_000;
    feed.ssrc = 2;
    run(20);
    expect(feed.placeOf((sent - 5) * 160)).toBeGreaterThan(0);
  });

  it.each([300, 65_530])('is not thrown off by a single packet from nowhere, %i sequence numbers ahead', (ahead) => {
    const feed = new Feed();
    for (let n = 0; n < 60; n++) {
      feed.put(n);
      if (n % 10 === 5) {
        feed.shift = 3_000_000;
        feed.put(n + ahead);
        feed.shift = 0;
      }
      feed.take();
    }
    for (let i = 0; i < 59 * 160; i++) expect(feed.out[160 + i]).toBe(sampleAt(i));
  });

  it('falls silent when the stream pauses and starts again with it', () => {
    const feed = new Feed();
    for (let n = 0; n < 20; n++) {
      feed.put(n);
      feed.take();
    }
    const live = Array.from({ length: 40 }, () => feed.take());
    expect(live.at(-1)).toBe(false);
    expect(feed.out.slice(-160).every((sample) => sample === 0)).toBe(true);
    expect(feed.buffer.delay).toBe(20);
    for (let n = 300; n < 320; n++) {
      feed.put(n);
      expect(feed.take()).toBe(true);
    }
    expect(feed.placeOf(305 * 160)).toBeGreaterThan(0);
  });

  it('takes any packets without harm', () => {
    const packet = fc.record({
      ssrc: fc.integer({ min: 0, max: 2 }),
      sequence: fc.integer({ min: 0, max: 65_535 }),
      timestamp: fc.integer({ min: 0, max: 0xffff_ffff }),
      size: fc.integer({ min: 0, max: 5000 }),
    });
    fc.assert(
      fc.property(fc.array(packet, { maxLength: 40 }), (packets) => {
        const buffer = new JitterBuffer();
        const frame = new Int16Array(160);
        for (const { ssrc, sequence, timestamp, size } of packets) {
          buffer.put(ssrc, sequence, timestamp, new Uint8Array(size), 0, size, mu.decode);
          buffer.take(frame);
        }
        expect(buffer.delay).toBeLessThanOrEqual(60);
      }),
    );
  });
});
