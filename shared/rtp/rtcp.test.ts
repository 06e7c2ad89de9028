import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ntp, ntpMiddle, type ReportBlock, readReport, writeReport } from './rtcp.ts';
import { ReceptionStatistics } from './statistics.ts';

const block: ReportBlock = {
  ssrc: 7,
  fraction: 64,
  lost: -3,
  highest: 0x1_0005,
  jitter: 12,
  lastReport: 0xdead_beef,
  sinceReport: 65_536,
};
const sender = { wall: 1_767_225_600_500, timestamp: 99, packets: 5, octets: 800 };

describe('reports', () => {
  it('reads what it writes, in every form', () => {
    for (const name of ['', 'a', 'ab', 'abc', 'ep_1@hearthline', 'x'.repeat(255)]) {
      for (const info of [sender, undefined]) {
        for (const one of [block, undefined]) {
          const data = writeReport(42, name, info, one);
          expect(data.length % 4).toBe(0);
          const read = readReport(data);
          expect(read).toMatchObject({ ssrc: 42, cname: name, bye: false, blocks: one === undefined ? [] : [block] });
          const { ntpMiddle: middle, ...rest } = { ntpMiddle: ntpMiddle(sender.wall), ...sender };
          expect(read?.sender).toEqual(
            info === undefined ? undefined : { ntpMiddle: middle, timestamp: 99, packets: 5, octets: 800 },
          );
          expect(rest.wall).toBe(sender.wall);
        }
      }
    }
  });

  it('counts time from 1900', () => {
    expect(ntp(0)).toEqual({ seconds: 2_208_988_800, fraction: 0 });
    expect(ntp(1500).seconds).toBe(2_208_988_801);
    expect(ntp(1500).fraction).toBe(0x8000_0000);
    expect((ntpMiddle(2500) - ntpMiddle(1000)) / 65_536).toBeCloseTo(1.5, 4);
  });

  it('sees a goodbye after the report and ignores unknown packets', () => {
    const report = writeReport(42, 'a', undefined, undefined);
    const bye = Uint8Array.of(0x81, 203, 0, 1, 0, 0, 0, 42);
    const app = Uint8Array.of(0x80, 204, 0, 2, 0, 0, 0, 42, 65, 65, 65, 65);
    expect(readReport(Uint8Array.of(...report, ...app, ...bye))?.bye).toBe(true);
  });

  const refused: [string, number[]][] = [
    ['version 1', [0x40, 201, 0, 1, 0, 0, 0, 1]],
    ['a first packet that is no report', [0x81, 203, 0, 1, 0, 0, 0, 1]],
    ['a length past the end', [0x80, 201, 0, 2, 0, 0, 0, 1]],
    ['more blocks than fit', [0x81, 201, 0, 1, 0, 0, 0, 1]],
    ['a sender report that is too short', [0x80, 200, 0, 1, 0, 0, 0, 1]],
    ['a stump behind a report', [0x80, 201, 0, 1, 0, 0, 0, 1, 0x80, 202]],
    ['nothing', []],
  ];
  it.each(refused)('refuses %s', (_, data) => {
    expect(readReport(Uint8Array.from(data))).toBeUndefined();
  });

  it('takes any datagram without harm', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 120 }), fc.boolean(), (data, plausible) => {
        if (plausible && data.length > 3) data.set([0x81, 201, 0, 7]);
        readReport(data);
      }),
      { numRuns: 2000 },
    );
  });
});

describe('statistics', () => {
  it('counts losses over the wrap, and duplicates not as gains', () => {
    const statistics = new ReceptionStatistics();
    for (let n = 65_500; n < 65_600; n++) if (n % 10 !== 3) statistics.count(n & 0xffff);
    expect(statistics.lost).toBe(10);
    const report = statistics.report();
    expect(report).toMatchObject({ fraction: Math.floor((10 * 256) / 100), lost: 10, highest: 65_599 });
    for (let n = 65_600; n < 65_700; n++) statistics.count(n & 0xffff);
    expect(statistics.report()).toMatchObject({ fraction: 0, lost: 10 });
    statistics.count(65_699 & 0xffff);
    expect(statistics.received).toBe(191);
    expect(statistics.lost).toBe(9);
  });

  it('keeps its totals when the source begins anew', () => {
    const statistics = new ReceptionStatistics();
    for (const n of [1, 2, 4]) statistics.count(n);
    statistics.restart();
    expect(statistics.report()).toBeUndefined();
    for (const n of [40_000, 40_002]) statistics.count(n);
    expect(statistics.lost).toBe(2);
    statistics.count(10_000);
    statistics.count(10_001);
    expect(statistics.lost).toBe(2);
    expect(statistics.received).toBe(7);
  });

  it('computes the jitter of RFC 3550: steady is none, alternating 10 ms tends to 10', () => {
    const steady = new ReceptionStatistics();
    const shaky = new ReceptionStatistics();
    for (let n = 0; n < 500; n++) {
      steady.arrived(0xffff_fff0 + n * 160, 1000 + n * 20);
      shaky.arrived(n * 160, 1000 + n * 20 + (n % 2) * 10);
    }
    expect(steady.jitter).toBe(0);
    expect(shaky.jitter).toBeCloseTo(10, 1);
    shaky.arrived(9_000_000, 11_000);
    expect(shaky.jitter).toBeCloseTo(10, 1);
  });
});
