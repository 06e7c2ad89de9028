/** `pairing.json` and `claim.json`: what pairing has reached and what it may begin with, read back with care. */
import { misfit } from '#shared/protocol/check.ts';
import { ClaimText } from '#shared/protocol/verbs/claim.ts';
import type { Identity, Saved } from './states.ts';

/** The kept state. A missing or damaged file is "unpaired": the permanent key gets a paired gateway its identity back. */
export function readSaved(file: Uint8Array | undefined): Saved {
  if (file === undefined) return { at: 'unpaired' };
  try {
    return asSaved(JSON.parse(new TextDecoder().decode(file))) ?? { at: 'unpaired', cause: 'state_damaged' };
  } catch {
    return { at: 'unpaired', cause: 'state_damaged' };
  }
}

/** The text of a claim; undefined where there is none that can be shown to a cloud. */
export function readClaim(file: Uint8Array | undefined): string | undefined {
  if (file === undefined) return undefined;
  try {
    const { claim } = JSON.parse(new TextDecoder().decode(file)) as { claim?: unknown };
    return typeof claim === 'string' && misfit(ClaimText, claim) === undefined ? claim : undefined;
  } catch {
    return undefined;
  }
}

function asSaved(value: unknown): Saved | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const { at, cause, since, identity } = value as Record<string, unknown>;
  switch (at) {
    case 'unpaired':
      return { at, ...(typeof cause === 'string' ? { cause } : {}) };
    case 'claimed':
      return typeof since === 'number' ? { at, since } : undefined;
    case 'reconnecting':
    case 'configuring':
      return typeof since === 'number' && isIdentity(identity) ? { at, since, identity } : undefined;
    case 'paired':
      return isIdentity(identity) ? { at, identity } : undefined;
    default:
      return undefined;
  }
}

function isIdentity(value: unknown): value is Identity {
  if (typeof value !== 'object' || value === null) return false;
  const fields = value as Record<string, unknown>;
  return ['gateway', 'home', 'certificate', 'key', 'authority'].every((name) => typeof fields[name] === 'string');
}
