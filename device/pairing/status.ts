/** What a gateway shows of its pairing: on its page, in its ready file, on the console. */
import { pairingLink, showCode } from '#shared/protocol/pairing.ts';
import type { DeviceKey } from './device-key.ts';
import type { PairingState } from './states.ts';

export interface PairingStatus {
  /** `starting` until the cloud is found; `announced` while a code is shown. */
  readonly at: 'starting' | 'announced' | PairingState['saved']['at'];
  readonly gateway: string;
  /** The permanent key's check words. */
  readonly words: string;
  /** Shown as `BCDF-GHJK`, once the cloud knows it. */
  readonly code?: string;
  /** The link that the QR holds. */
  readonly qr?: string;
  /** Why the last pairing was undone: a fault's code, or `removed`. */
  readonly cause?: string;
  /** What is in the way, in words. */
  readonly problem?: string;
  /** The gateway's own connection is up. */
  readonly online: boolean;
  readonly home?: string;
  readonly homeName?: string;
}

export interface StatusSources {
  readonly state: PairingState;
  readonly key: DeviceKey | undefined;
  readonly code: string | undefined;
  /** Where people open the portal; undefined while the cloud is not found. */
  readonly portal: string | undefined;
  readonly problem: string | undefined;
  readonly homeName: string | undefined;
}

export function statusOf({ state, key, code, portal, problem, homeName }: StatusSources): PairingStatus {
  const { saved, announced, connected } = state;
  const shown = saved.at === 'unpaired' && announced ? code : undefined;
  const link =
    shown === undefined || key === undefined || portal === undefined
      ? undefined
      : pairingLink(portal, shown, key.keyHash);
  const at = shown === undefined ? saved.at : 'announced';
  return {
    at: portal === undefined ? 'starting' : at,
    gateway: key?.gateway ?? '',
    words: key?.words ?? '',
    online: connected,
    ...(shown === undefined || link === undefined ? {} : { code: showCode(shown), qr: link }),
    ...(saved.at === 'unpaired' && saved.cause !== undefined ? { cause: saved.cause } : {}),
    ...(problem === undefined ? {} : { problem }),
    ...('identity' in saved ? { home: saved.identity.home } : {}),
    ...('identity' in saved && homeName !== undefined ? { homeName } : {}),
  };
}
