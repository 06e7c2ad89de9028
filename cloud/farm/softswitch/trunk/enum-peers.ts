/** Whom a call may be sent to because DNS says so. Pure. */

/** True for a name of the list, or below one that begins with a dot; for an address only where it stands there itself. */
export function mayBeCalled(host: string, peers: readonly string[]): boolean {
  const name = host.toLowerCase().replace(/\.$/, '');
  return peers.some((one) => {
    const peer = one.toLowerCase();
    if (!peer.startsWith('.')) return peer === name;
    // The end of an address is no domain.
    return !isAddress(name) && name.endsWith(peer);
  });
}

const isAddress = (host: string): boolean => host.includes(':') || /^[0-9.]+$/.test(host);
