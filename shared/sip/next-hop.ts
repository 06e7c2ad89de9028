/** Where the requests of a dialog go (RFC 3261 sections 8.1.2 and 12.2.1.1). */
import type { Dialog } from './dialog.ts';
import type { Flow } from './types.ts';
import { parseNameAddr, parseUri } from './uri.ts';

/** True for a host, as a literal address, to which the dialogs of this flow may lead. */
export type Follows = (flow: Flow, host: string) => boolean;

/**
 * The flow to the first of a dialog's route set, or to its remote target, by datagrams of the socket on which it began. Undefined: over
 * the flow that it has, because it leads there already, `follows` says so, or the target is a name or wants another transport.
 */
export function nextHop({ routeSet, remoteTarget }: Dialog, flow: Flow, follows: Follows): Flow | undefined {
  if (flow.protocol !== 'udp') return undefined;
  const [first] = routeSet;
  const uri = parseUri(first === undefined ? remoteTarget : (parseNameAddr(first)?.uri ?? ''));
  const transport = uri?.params.get('transport')?.toLowerCase() ?? 'udp';
  if (uri?.scheme !== 'sip' || transport !== 'udp' || uri.params.has('maddr')) return undefined;
  const { host, port = 5060 } = uri;
  if (!isLiteral(host) || host.includes(':') !== flow.remote.host.includes(':')) return undefined;
  if (host === flow.remote.host && port === flow.remote.port) return undefined;
  return follows(flow, host) ? { ...flow, id: `${flow.id}>${host}:${port}`, remote: { host, port } } : undefined;
}

const isLiteral = (host: string): boolean => host.includes(':') || /^(?:\d{1,3}\.){3}\d{1,3}$/.test(host);
