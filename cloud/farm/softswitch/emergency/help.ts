/** The words of a call for help. */
import type { LineRow } from '#cloud/store/directory.ts';
import type { EmergencyCall } from '#shared/call/emergency.ts';
import type { Located } from './conveyed.ts';

export type KnownBy = 'credential' | 'gateway' | 'address' | 'none';

/** Who calls for help. */
export interface HelpCaller {
  readonly by: KnownBy;
  readonly line?: LineRow;
  readonly home?: string;
  readonly gateway?: string;
}

/** What a call for help is to the rest of the softswitch. */
export interface Help extends EmergencyCall {
  readonly id: string;
  readonly home?: string;
  /** Where the phone itself says that it is. */
  readonly located?: readonly Located[];
}
