/** The names under which this cloud may be asked. */
import type { PartContext } from '#cloud/bus/part.ts';

/** Lower case, without brackets: the published host, the SIP domain, the bound hosts, and this machine's own addresses. */
export function ourHosts({ config, world }: Pick<PartContext, 'config' | 'world'>): ReadonlySet<string> {
  const names = [config.publicHost, config.domain, config.http.host, config.https?.host ?? ''];
  const own = world.net.addresses().map((address) => address.host);
  return new Set([...names, ...own].map((name) => name.toLowerCase()));
}
