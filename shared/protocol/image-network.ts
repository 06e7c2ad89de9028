/** What of a static address cannot work: looked at with the numbers, not the text. Pure. */

export interface StaticNetwork {
  /** `a.b.c.d/n`. */
  readonly address?: string;
  readonly gateway?: string;
  readonly dns?: readonly string[];
}

interface Fault {
  readonly at: 'address' | 'gateway' | 'dns';
  readonly what: string;
  readonly fix: string;
}

/** The 32 bits of a dotted address that a schema has checked. */
function bits(dotted: string): number {
  return dotted.split('.').reduce((sum, part) => (sum * 256 + Number(part)) >>> 0, 0);
}

function maskOf(address: string): number {
  const prefix = Number(address.slice(address.indexOf('/') + 1));
  return (0xffffffff << (32 - prefix)) >>> 0;
}

/** Faults of a form that the schema lets pass. */
export function addressProblems({ address, gateway, dns }: StaticNetwork): Fault[] {
  if (address === undefined) {
    const alone = gateway !== undefined ? 'gateway' : dns !== undefined ? 'dns' : undefined;
    if (alone === undefined) return [];
    return [
      { at: alone, what: `"${alone}" without "address" has no effect`, fix: 'write "address" too, or take it out' },
    ];
  }
  const [host, mask] = [bits(address.slice(0, address.indexOf('/'))), maskOf(address)];
  const inner = (host & ~mask) >>> 0;
  if (inner === 0 || inner === ~mask >>> 0)
    return [
      {
        at: 'address',
        what: 'this is the address of the network itself, not of a host in it',
        fix: 'write an address between the first and the last of the network',
      },
    ];
  const top = host >>> 24;
  if (top === 0 || top === 127 || top >= 224)
    return [{ at: 'address', what: 'no host may have this address', fix: 'write an address of your network' }];
  if (gateway === undefined)
    return [
      { at: 'address', what: 'a static address needs the router’s address too', fix: 'write "gateway": "…" beside it' },
    ];
  if (dns === undefined)
    return [{ at: 'address', what: 'a static address needs a name server too', fix: 'write "dns": ["…"] beside it' }];
  if (outside(address, gateway))
    return [
      {
        at: 'gateway',
        what: 'the gateway is not in the network of "address"',
        fix: 'write an address of the same network',
      },
    ];
  return [];
}

/** The router stands in another network than the address, or is the address itself. */
function outside(address: string, gateway: string): boolean {
  const [host, mask, other] = [bits(address.slice(0, address.indexOf('/'))), maskOf(address), bits(gateway)];
  return (host & mask) >>> 0 !== (other & mask) >>> 0 || host === other;
}
