/** Established dialogs of other softswitch processes, as their rows tell. */
import { callsOfDialog } from '#cloud/store/call-row.ts';
import { lineById } from '#cloud/store/directory.ts';
import type { Store } from '#cloud/store/store.ts';
import type { DialogName } from '#shared/sip/refer.ts';

/** A leg of a call that another process has, and the home that it is of. */
export interface FarLeg {
  readonly session: string;
  readonly leg: string;
  readonly home: string | undefined;
}

interface Body {
  readonly call: { readonly autonomous: boolean };
  readonly sides: readonly {
    readonly leg: string;
    readonly dialog: { readonly callId: string; readonly localTag: string; readonly remoteTag: string };
    /** Id of the line. */
    readonly line?: string;
  }[];
}

/**
 * The leg of an established call that this name means, where `toTag` is the tag of ours; undefined for none, and for calls that the
 * session manager does not know of.
 */
export async function farLeg(
  store: Store,
  { callId, toTag, fromTag, earlyOnly }: DialogName,
): Promise<FarLeg | undefined> {
  if (earlyOnly) return undefined;
  for (const { session, body } of await callsOfDialog(store, callId)) {
    const { call, sides } = JSON.parse(body) as Body;
    const side = sides.find(
      ({ dialog }) => dialog.callId === callId && dialog.localTag === toTag && dialog.remoteTag === fromTag,
    );
    if (side === undefined || call.autonomous) continue;
    const { leg, line } = side;
    const home = line === undefined ? undefined : (await lineById(store, line))?.home;
    return { session, leg, home };
  }
  return undefined;
}
