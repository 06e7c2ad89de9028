/** What the files of the e-center share. */
import type { Context } from '#cloud/bus/bus.ts';
import type { PartContext } from '#cloud/bus/part.ts';
import type { Sandbox } from '#shared/applet/sandbox.ts';
import type { Service } from '#shared/applet/service.ts';
import type { KeyPair } from '#shared/kernel/world.ts';

export interface ECenter extends PartContext {
  /** The operator's key that countersigns packages. */
  readonly signing: KeyPair;
  /** The same, public, base 64: what gateways trust. */
  readonly operatorKey: string;
  readonly ticketKey: Uint8Array;
  readonly services: ReadonlyMap<string, Service>;
  readonly sandbox: () => Sandbox;
}

export const AS_E_CENTER: Context = { principal: { kind: 'part', part: 'e-center' } };
