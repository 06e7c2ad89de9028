/** Where the cloud keeps the bundles of releases: OAM&P writes them, the open API hands them to gateways. */
export function bundlePath(data: string, release: string): string {
  return `${data}/releases/${release}.raucb`;
}
