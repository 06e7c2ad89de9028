/**
 * Voice quality by the E-model of ITU-T G.107, reduced to what a receiver can see: delay and loss. It is an estimate from
 * the transport, never a measurement of the sound.
 */

/** Robustness of G.711 with concealment against random loss (G.113 appendix I). */
const LOSS_ROBUSTNESS = 25.1;

/** The transmission rating R (0 to 93.2) at a one-way delay in ms and a share of lost packets from 0 to 1. */
export function rating(delay: number, loss: number): number {
  const percent = Math.max(0, Math.min(1, loss)) * 100;
  const late = Math.max(0, delay - 177.3);
  const r = 93.2 - 0.024 * Math.max(0, delay) - 0.11 * late - (95 * percent) / (percent + LOSS_ROBUSTNESS);
  return Math.max(0, r);
}

/** The estimated mean opinion score (1 to 4.5) of a rating (G.107 annex B). */
export function opinion(r: number): number {
  if (r <= 0) return 1;
  if (r >= 100) return 4.5;
  return Math.max(1, 1 + 0.035 * r + r * (r - 60) * (100 - r) * 7e-6);
}
