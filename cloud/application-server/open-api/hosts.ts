/** The names under which this cloud may be asked. */
import type { PartContext } from '#cloud/bus/part.ts';

/** Milliseconds after which this machine's addresses are looked up again. */
const FRESH = 10_000;

/** Gives them: lower case, without brackets; the published host, the SIP domain, the bound hosts, and this machine's own addresses. */
export function ourHosts({ config, world }: Pick<PartContext, 'config' | 'world'>): () => ReadonlySet<string> {
  const fixed = [config.publicHost, config.domain, config.http.host, config.https?.host ?? ''];
  let names: ReadonlySet<string> = new Set();
  let until = Number.NEGATIVE_INFINITY;
  return () => {
    if (world.clock.mono() >= until) {
      const own = world.net.addresses().map((address) => address.host);
      names = new Set([...fixed, ...own].filter((name) => name !== '').map((name) => name.toLowerCase()));
      until = world.clock.mono() + FRESH;
    }
    return names;
  };
}
