/** Flows of other softswitch processes, under names that say whose they are: `owner/flow`. */
import type { Flow } from '#shared/sip/types.ts';

export const isForeign = (flow: Flow): boolean => flow.id.includes('/');

/** A flow of another process, as this one holds it. */
export function foreignFlow(owner: string, flow: Flow): Flow {
  return { ...flow, id: `${owner}/${flow.id}` };
}

/** Whose it is, and the flow as its process knows it. */
export function homeOf(flow: Flow): { readonly owner: string; readonly flow: Flow } | undefined {
  const at = flow.id.indexOf('/');
  return at < 0 ? undefined : { owner: flow.id.slice(0, at), flow: { ...flow, id: flow.id.slice(at + 1) } };
}
