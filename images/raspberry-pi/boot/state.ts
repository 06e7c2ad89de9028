/**
 * The slot state: which slot is tried first and how many tries each has left. Two copies of one sector each; a writer only ever
 * touches the copy that is not the newest, so a cut leaves the other one. A copy is a U-Boot environment (CRC-32 little-endian over
 * the rest, then `name=value\0`, an empty string ends it): U-Boot's `env import -c` and libubootenv's fw_printenv read it as it is.
 */
import { crc32 } from 'node:zlib';
import { ATTEMPTS, type SlotName, STATE_BYTES } from './layout.ts';

/** Decoded slot state. */
export interface SlotState {
  /** Number of writes since the image was made; the copy with the higher one counts. */
  readonly sequence: number;
  /** Slots in the order in which they are tried. */
  readonly order: readonly SlotName[];
  /** Tries left by slot. */
  readonly left: Readonly<Record<SlotName, number>>;
  /** No slot had a try left when the machine stopped; the next power-on gives each slot one. */
  readonly stopped: boolean;
}

/** What a disk without a readable copy counts as. */
export const LOST: SlotState = { sequence: 0, order: ['A', 'B'], left: { A: ATTEMPTS, B: ATTEMPTS }, stopped: false };
/** What a new image carries: slot A is full, slot B empty. */
export const FRESH: SlotState = { sequence: 1, order: ['A', 'B'], left: { A: ATTEMPTS, B: 0 }, stopped: false };

/** One copy of a state as its sector. Numbers are hexadecimal without prefix, as U-Boot's setexpr writes them. */
export function encodeState(state: SlotState): Uint8Array {
  const text = [
    `HL_SEQ=${state.sequence.toString(16)}`,
    `BOOT_ORDER=${state.order.join(' ')}`,
    `BOOT_A_LEFT=${state.left.A.toString(16)}`,
    `BOOT_B_LEFT=${state.left.B.toString(16)}`,
    `HL_STOP=${state.stopped ? 1 : 0}`,
    '',
    '',
  ].join('\0');
  const sector = new Uint8Array(STATE_BYTES);
  sector.set(new TextEncoder().encode(text), 4);
  new DataView(sector.buffer).setUint32(0, crc32(sector.subarray(4)), true);
  return sector;
}

const hex = (text: string | undefined) =>
  text !== undefined && /^[0-9a-f]{1,8}$/i.test(text) ? parseInt(text, 16) : 0;

/** The state in a sector; undefined where its CRC or its shape is wrong. */
export function decodeState(sector: Uint8Array): SlotState | undefined {
  if (sector.length !== STATE_BYTES) return undefined;
  const view = new DataView(sector.buffer, sector.byteOffset, sector.length);
  if (view.getUint32(0, true) !== crc32(sector.subarray(4))) return undefined;
  const values = new Map<string, string>();
  for (const line of new TextDecoder().decode(sector.subarray(4)).split('\0')) {
    if (line === '') break;
    const at = line.indexOf('=');
    values.set(line.slice(0, at), line.slice(at + 1));
  }
  const sequence = hex(values.get('HL_SEQ'));
  if (sequence === 0) return undefined;
  const order = (values.get('BOOT_ORDER') ?? '').split(' ').filter((name) => name === 'A' || name === 'B');
  return {
    sequence,
    order,
    left: { A: hex(values.get('BOOT_A_LEFT')), B: hex(values.get('BOOT_B_LEFT')) },
    stopped: values.get('HL_STOP') === '1',
  };
}

/** The state that counts among both copies, and the copy the next writer takes. */
export function newestState(copies: readonly (Uint8Array | undefined)[]): { state: SlotState; next: 0 | 1 } {
  const [first, second] = copies.map((copy) => (copy === undefined ? undefined : decodeState(copy)));
  if (first === undefined && second === undefined) return { state: LOST, next: 0 };
  if (second === undefined || (first !== undefined && first.sequence > second.sequence))
    return { state: first ?? LOST, next: 1 };
  return { state: second, next: 0 };
}
