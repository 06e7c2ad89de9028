import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DIGITS_PER_SECOND, DtmfReceiver, writeEvent } from './dtmf.ts';
import { mu } from './g711.ts';
import { levelOf, match, sine } from './measure.ts';
import { add, addSum, encodeInto, subtract } from './mix.ts';
import { opinion, rating } from './quality.ts';
import { tone } from './tone.ts';
import { readWav, WAV_LIMIT, writeWav } from './wav.ts';

const frame = fc.int16Array({ minLength: 160, maxLength: 160 });

describe('mix', () => {
  it('is the sum of all but oneself, cut to 16 bits', () => {
    fc.assert(
      fc.property(fc.array(frame, { minLength: 1, maxLength: 12 }), (frames) => {
        const room = new Int32Array(160);
        for (const one of frames) add(room, one);
        for (const own of frames) {
          const sum = new Int32Array(160);
          addSum(sum, room);
          subtract(sum, own);
          const target = new Uint8Array(170);
          encodeInto(target, 10, sum, mu.encode);
          for (let i = 0; i < 160; i++) {
            const others = frames.reduce((all, one) => all + (one === own ? 0 : (one[i] as number)), 0);
            expect(sum[i]).toBe(others);
            const clipped = Math.max(-32_768, Math.min(32_767, others));
            expect(target[10 + i]).toBe(mu.encode[clipped & 0xffff]);
          }
        }
      }),
      { numRuns: 30 },
    );
  });
});

describe('digits', () => {
  interface Event {
    readonly timestamp: number;
    readonly digit: string;
    readonly end: boolean;
    readonly duration: number;
  }
  function run(events: readonly Event[], spacing = 20): { digit: string; duration: number }[] {
    const got: { digit: string; duration: number }[] = [];
    const receiver = new DtmfReceiver((digit, duration) => got.push({ digit, duration }));
    const data = new Uint8Array(6);
    for (const [i, { timestamp, digit, end, duration }] of events.entries()) {
      expect(writeEvent(data, 1, digit, end, 10, duration)).toBe(true);
      receiver.push(timestamp, data, 1, 5, i * spacing);
      receiver.expire(i * spacing);
    }
    receiver.expire(events.length * spacing + 1000);
    return got;
  }
  const press = (digit: string, timestamp: number): Event[] =>
    [1, 2, 3, 4, 5, 5, 5].map((n, i) => ({ timestamp, digit, end: i >= 4, duration: n * 160 }));

  it('reports each digit once, with its duration', () => {
    expect(run(['1', '1', '#', 'D'].flatMap((digit, i) => press(digit, i * 3000)))).toEqual([
      { digit: '1', duration: 100 },
      { digit: '1', duration: 100 },
      { digit: '#', duration: 100 },
      { digit: 'D', duration: 100 },
    ]);
  });

  it('reports each digit once whatever is lost or doubled, as long as one packet comes', () => {
    fc.assert(
      fc.property(fc.array(fc.array(fc.integer({ min: 0, max: 6 }), { minLength: 1 }), { maxLength: 5 }), (kept) => {
        const events = kept.flatMap((which, i) => {
          const all = press(String(i), (0xffff_f000 + i * 3000) >>> 0);
          return which.sort().map((n) => all[n] as Event);
        });
        expect(run(events, 40).map(({ digit }) => digit)).toEqual(kept.map((_, i) => String(i)));
      }),
    );
  });

  it('ignores what is overtaken, too short or no digit, and more digits than a person presses', () => {
    const late = [...press('1', 5000), ...press('2', 1000)];
    expect(run(late).map(({ digit }) => digit)).toEqual(['1']);
    const got: string[] = [];
    const receiver = new DtmfReceiver((digit) => got.push(digit));
    receiver.push(1, Uint8Array.of(1, 128, 0), 0, 3, 0);
    receiver.push(2, Uint8Array.of(16, 128, 0, 0), 0, 4, 0);
    expect(got).toEqual([]);
    expect(writeEvent(new Uint8Array(4), 0, 'E', false, 0, 0)).toBe(false);
    expect(writeEvent(new Uint8Array(4), 0, '12', false, 0, 0)).toBe(false);
    for (let i = 0; i <= DIGITS_PER_SECOND; i++) receiver.push(100 + i, Uint8Array.of(5, 128, 0, 0), 0, 4, 10);
    expect(got.length).toBe(DIGITS_PER_SECOND);
    receiver.push(9000, Uint8Array.of(5, 128, 0, 0), 0, 4, 1010);
    expect(got.length).toBe(DIGITS_PER_SECOND + 1);
  });
});

describe('files', () => {
  it('reads what it writes: 16 bit exactly, the laws by their tables', () => {
    fc.assert(
      fc.property(fc.int16Array({ maxLength: 300 }), (pcm) => {
        expect(readWav(writeWav(pcm))).toEqual({ ok: true, value: pcm });
        for (const law of ['PCMU', 'PCMA'] as const) {
          const read = readWav(writeWav(pcm, law));
          expect(read).toMatchObject({ ok: true, value: { length: pcm.length } });
          if (read.ok && pcm.length > 0)
            expect(Math.abs((read.value[0] ?? 0) - (pcm[0] ?? 0))).toBeLessThanOrEqual(1100);
        }
      }),
    );
  });

  const good = writeWav(Int16Array.of(1, 2, 3));
  const changed = (at: number, ...values: number[]): Uint8Array => {
    const copy = good.slice();
    copy.set(values, at);
    return copy;
  };
  const bad: [string, Uint8Array, string][] = [
    ['nothing', new Uint8Array(0), 'not_wav'],
    ['another container', changed(8, 0x41), 'not_wav'],
    ['two channels', changed(22, 2), 'not_8khz_mono'],
    ['44.1 kHz', changed(24, 0x44, 0xac), 'not_8khz_mono'],
    ['8 bit linear', changed(34, 8), 'unknown_format'],
    ['floating point', changed(20, 3), 'unknown_format'],
    ['data longer than the file', changed(40, 7), 'truncated'],
    ['one sample more than the file holds', changed(40, 8), 'truncated'],
    ['half a sample', changed(40, 5), 'truncated'],
    ['a format chunk past the end', changed(16, 0xff, 0xff, 0xff, 0xff), 'truncated'],
    ['a short format chunk', changed(16, 4), 'truncated'],
    ['no data', good.slice(0, 36), 'truncated'],
    ['data before its format', Uint8Array.of(...good.slice(0, 12), ...good.slice(36)), 'unknown_format'],
    ['one octet more than is read', new Uint8Array(WAV_LIMIT + 1), 'too_large'],
  ];
  it.each(bad)('refuses %s', (_, data, fault) => {
    expect(readWav(data)).toEqual({ ok: false, fault });
  });

  it('passes over chunks that it does not know, also of odd length', () => {
    const extra = [0x4c, 0x49, 0x53, 0x54, 3, 0, 0, 0, 1, 2, 3, 0];
    const data = Uint8Array.of(...good.slice(0, 36), ...extra, ...good.slice(36));
    expect(readWav(data)).toEqual({ ok: true, value: Int16Array.of(1, 2, 3) });
  });
});

describe('tones', () => {
  it.each([
    ['ringback', [440, 480], 6],
    ['busy', [480, 620], 1],
    ['dial', [350, 440], 1],
  ] as const)('%s has its frequencies, its cadence and no seam', (name, frequencies, seconds) => {
    const samples = tone(name);
    expect(samples.length).toBe(seconds * 8000);
    for (const frequency of frequencies) expect(levelOf(samples.subarray(0, 4000), frequency)).toBeCloseTo(-19, 0);
    expect(levelOf(samples.subarray(0, 4000), 1000)).toBeLessThan(-60);
    expect(Math.abs(samples[0] ?? 1)).toBe(0);
    if (seconds > 1) expect(samples.subarray(16_000).every((sample) => sample === 0)).toBe(true);
  });
});

describe('quality', () => {
  it.each([
    [50, 0, 4.38],
    [50, 0.01, 4.3],
    [50, 0.03, 4.09],
    [50, 0.05, 3.87],
    [250, 0, 3.99],
  ])('at %i ms and a loss of %d is about %d', (delay, loss, mos) => {
    expect(opinion(rating(delay, loss))).toBeCloseTo(mos, 1);
  });

  it('falls with delay and loss and stays within its scale', () => {
    const delay = fc.double({ min: 0, max: 2000, noNaN: true });
    const share = fc.double({ min: 0, max: 1, noNaN: true });
    fc.assert(
      fc.property(delay, share, delay, share, (d, p, more, worse) => {
        expect(rating(d + more, p)).toBeLessThanOrEqual(rating(d, p));
        expect(rating(d, Math.min(1, p + worse))).toBeLessThanOrEqual(rating(d, p));
        expect(opinion(rating(d, p))).toBeGreaterThanOrEqual(1);
        expect(opinion(rating(d, p))).toBeLessThanOrEqual(4.5);
      }),
    );
  });
});

describe('measuring', () => {
  it('finds levels and places', () => {
    expect(levelOf(sine(617, -20, 8000), 617)).toBeCloseTo(-20, 1);
    expect(levelOf(sine(617, -20, 8000), 700)).toBeLessThan(-80);
    expect(levelOf(new Int16Array(0), 617)).toBeLessThan(-100);
    const noise = Int16Array.from({ length: 500 }, (_, i) => (Math.imul(i, 2_654_435_761) >> 18) % 1000);
    const whole = new Int16Array(2000);
    whole.set(noise, 1234);
    expect(match(whole, noise)).toEqual({ correlation: expect.closeTo(1, 5), lag: 1234 });
    expect(match(whole.subarray(0, 1200), noise).correlation).toBeLessThan(0.5);
    expect(match(noise, whole)).toEqual({ correlation: 0, lag: -1 });
    expect(match(whole, new Int16Array(10))).toEqual({ correlation: 0, lag: -1 });
  });

  it('finds what a search of every place finds', () => {
    const slow = (whole: Int16Array, part: Int16Array): { correlation: number; lag: number } => {
      let best = { correlation: 0, lag: -1 };
      const power = (samples: Int16Array): number => samples.reduce((sum, sample) => sum + sample * sample, 0);
      for (let lag = 0; lag + part.length <= whole.length; lag++) {
        const there = whole.subarray(lag, lag + part.length);
        const product = part.reduce((sum, sample, i) => sum + sample * (there[i] ?? 0), 0);
        const correlation = product / Math.sqrt(power(part) * Math.max(1, power(there)));
        if (correlation > best.correlation + 1e-9) best = { correlation, lag };
      }
      return best;
    };
    const samples = (from: number, to: number) => fc.int16Array({ minLength: from, maxLength: to });
    fc.assert(
      fc.property(samples(0, 300), samples(1, 40), (whole, part) => {
        expect(match(whole, part).correlation).toBeCloseTo(slow(whole, part).correlation, 6);
      }),
    );
    const whole = Int16Array.from({ length: 20_000 }, (_, i) => (Math.imul(i ^ (i >> 3), 2_654_435_761) >> 18) % 1000);
    for (const lag of [0, 7000, 8191, 12_345, 19_900]) expect(match(whole, whole.slice(lag, lag + 100)).lag).toBe(lag);
  });
});
