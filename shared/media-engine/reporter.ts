/** The RTCP of one endpoint: reports about every 5 s, and what the other side reports (RFC 3550 section 6). */
import { ntpMiddle, readReport, writeReport } from '#shared/rtp/rtcp.ts';
import type { ReceptionStatistics } from '#shared/rtp/statistics.ts';
import type { RtpSender } from './sender.ts';

/** Mean time between reports, ms; each is drawn from half to one and a half of it (RFC 3550 6.2). */
export const REPORT_EVERY = 5000;

export interface RemoteReport {
  /** Share of our packets that the other side lost, 0 to 1. */
  readonly remoteLoss?: number;
  /** Round trip, ms. */
  readonly roundTrip?: number;
}

export class Reporter {
  remote: RemoteReport = {};
  readonly #sender: RtpSender;
  readonly #statistics: ReceptionStatistics;
  readonly #cname: string;
  #next = -1;
  #sentBefore = 0;
  #source = 0;
  #lastReport = 0;
  #lastReportAt = 0;

  constructor(sender: RtpSender, statistics: ReceptionStatistics, cname: string) {
    this.#sender = sender;
    this.#statistics = statistics;
    this.#cname = cname;
  }

  /** The SSRC that is received from now on. */
  source(ssrc: number): void {
    this.#source = ssrc;
    this.#lastReport = 0;
  }

  /** The report to send at `now`, if it is time and there is something to say. */
  due(now: number, wall: number, random32: () => number): Uint8Array<ArrayBuffer> | undefined {
    if (this.#next < 0) this.#next = now + this.#interval(random32);
    if (now < this.#next) return undefined;
    this.#next = now + this.#interval(random32);
    const sending = this.#sender.sent > this.#sentBefore;
    this.#sentBefore = this.#sender.sent;
    const reception = this.#statistics.report();
    if (!sending && reception === undefined) return undefined;
    const block =
      reception === undefined
        ? undefined
        : {
            ...reception,
            ssrc: this.#source,
            lastReport: this.#lastReport,
            sinceReport: this.#lastReport === 0 ? 0 : Math.round(((now - this.#lastReportAt) * 65_536) / 1000) >>> 0,
          };
    return writeReport(this.#sender.ssrc, this.#cname, sending ? this.#info(now, wall) : undefined, block);
  }

  /** Takes a datagram of the RTCP port; junk is ignored. */
  receive(data: Uint8Array, now: number, wall: number): void {
    const report = readReport(data);
    if (report === undefined) return;
    if (report.sender !== undefined && report.ssrc === this.#source) {
      this.#lastReport = report.sender.ntpMiddle;
      this.#lastReportAt = now;
    }
    for (const block of report.blocks) {
      if (block.ssrc !== this.#sender.ssrc) continue;
      const remoteLoss = block.fraction / 256;
      const trip = (ntpMiddle(wall) - block.lastReport - block.sinceReport) | 0;
      // A wall clock that jumped between the two reports makes nonsense of the difference.
      const sane = block.lastReport !== 0 && trip >= 0 && trip < 10 * 65_536;
      this.remote = sane ? { remoteLoss, roundTrip: (trip * 1000) / 65_536 } : { remoteLoss };
    }
  }

  #info(now: number, wall: number): Parameters<typeof writeReport>[2] {
    const passed = Math.max(0, Math.round((now - this.#sender.at) * 8));
    return {
      wall,
      timestamp: (this.#sender.timestamp + passed) >>> 0,
      packets: this.#sender.sent >>> 0,
      octets: this.#sender.octets >>> 0,
    };
  }

  #interval(random32: () => number): number {
    return REPORT_EVERY * (0.5 + (random32() >>> 0) / 4_294_967_296);
  }
}
