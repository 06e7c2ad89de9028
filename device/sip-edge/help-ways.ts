/** The ways out of the house for a call for help; pure. */
import type { Target } from '#shared/call/call.ts';
import type { Flow } from '#shared/sip/types.ts';
import type { Ring } from './edge-call.ts';

/** Ways out for a call for help, in the order in which they are tried. */
export function waysOfHelp(
  dialled: string,
  { cloud, fallback, modem }: Readonly<Record<'cloud' | 'fallback' | 'modem', Flow | undefined>>,
): Target<Ring>['branches'] {
  return [
    ...(cloud === undefined ? [] : [{ branch: 'cloud', to: { kind: 'softswitch' as const, dialled, flow: cloud } }]),
    ...(fallback === undefined ? [] : [{ branch: 'fallback', to: { kind: 'fallback' as const, flow: fallback } }]),
    ...(modem === undefined ? [] : [{ branch: 'modem', to: { kind: 'modem' as const, flow: modem } }]),
  ];
}

/** Whether a call took a way out that the cloud hears nothing of. */
export const isAlone = (to: Ring | undefined): boolean => to?.kind === 'fallback' || to?.kind === 'modem';
