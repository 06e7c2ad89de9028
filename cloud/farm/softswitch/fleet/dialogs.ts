/** Established dialogs of other softswitch processes, as their rows tell. */
import { lineById } from '#cloud/store/directory.ts';
import type { Store } from '#cloud/store/store.ts';
import type { DialogName } from '#shared/sip/refer.ts';

/** A leg of a call that another process has, and the home that it is of. */
export interface FarLeg {
  readonly session: string;
  readonly leg: string;
  readonly home: string | undefined;
}

interface Row {
  readonly session: string;
  readonly leg: string;
  readonly body: string;
}

interface Body {
  readonly dialog: { readonly localTag: string; readonly remoteTag: string };
  /** Id of the line. */
  readonly line?: string;
  readonly call: { readonly autonomous: boolean };
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
  const rows = await store.all<Row>("SELECT session, leg, body FROM channel WHERE call_id = ? AND call_id <> ''", [
    callId,
  ]);
  for (const { session, leg, body } of rows) {
    const { dialog, line, call } = JSON.parse(body) as Body;
    if (dialog.localTag !== toTag || dialog.remoteTag !== fromTag || call.autonomous) continue;
    const home = line === undefined ? undefined : (await lineById(store, line))?.home;
    return { session, leg, home };
  }
  return undefined;
}
