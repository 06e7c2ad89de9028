/** Mixing of 20 ms frames: sums of 32 bits, cut to 16 bits only where they leave. */

/** sum += frame. */
export function add(sum: Int32Array, frame: Int16Array): void {
  for (let i = 0; i < frame.length; i++) sum[i] = (sum[i] as number) + (frame[i] as number);
}

/** sum += gain * frame. */
export function addScaled(sum: Int32Array, frame: Int16Array, gain: number): void {
  for (let i = 0; i < frame.length; i++) sum[i] = (sum[i] as number) + gain * (frame[i] as number);
}

/** sum -= frame: a member's own voice leaves the mix that it hears (N-1). */
export function subtract(sum: Int32Array, frame: Int16Array): void {
  for (let i = 0; i < frame.length; i++) sum[i] = (sum[i] as number) - (frame[i] as number);
}

/** sum += other, for a member of several mixes. */
export function addSum(sum: Int32Array, other: Int32Array): void {
  for (let i = 0; i < sum.length; i++) sum[i] = (sum[i] as number) + (other[i] as number);
}

/** Cuts every sum to 16 bits and writes its code (table of `g711.ts`) to `target` from `start` on. */
export function encodeInto(target: Uint8Array, start: number, sum: Int32Array, encode: Uint8Array): void {
  for (let i = 0; i < sum.length; i++) {
    let sample = sum[i] as number;
    if (sample > 32_767) sample = 32_767;
    else if (sample < -32_768) sample = -32_768;
    target[start + i] = encode[sample & 0xffff] as number;
  }
}
