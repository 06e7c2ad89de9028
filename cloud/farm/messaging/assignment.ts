/** Which phone gets which waiting copies, in the order in which the messages were accepted. Pure. */
import { isInstance } from '#shared/sip/instance.ts';
import type { CopyRow } from './rows.ts';

export interface Errand {
  readonly message: string;
  /** The device that the copy stands for now; another than the phone's own is claimed before it is sent. */
  readonly held: string;
  /** Tries that the phone has answered. */
  readonly refused: number;
}

/**
 * `copies`: every copy of the messages that wait for the line, waiting or not, in order. A copy for no phone in particular, or for a
 * phone that was known by its contact alone and is gone, goes to the first phone here that has none of that message.
 */
export function assign(copies: readonly CopyRow[], here: readonly string[]): Map<string, Errand[]> {
  const errands = new Map<string, Errand[]>(here.map((device) => [device, []]));
  const having = new Map<string, Set<string>>();
  for (const { message, device } of copies) {
    const devices = having.get(message) ?? new Set<string>();
    having.set(message, devices.add(device));
  }
  for (const { message, device, state, refused } of copies) {
    if (state !== 'waiting') continue;
    const phone = here.includes(device) ? device : heir(device, here, having.get(message) ?? new Set());
    if (phone === undefined) continue;
    having.get(message)?.add(phone);
    errands.get(phone)?.push({ message, held: device, refused });
  }
  return errands;
}

function heir(device: string, here: readonly string[], having: ReadonlySet<string>): string | undefined {
  if (device !== '' && isInstance(device)) return undefined;
  return here.find((phone) => !having.has(phone));
}
