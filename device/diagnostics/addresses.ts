/** True for a literal IPv4 or IPv6 address, with or without brackets. */
export const isIpText = (host: string): boolean =>
  /^[0-9.]+$/.test(host) || /^\[?[0-9a-fA-F:.]*:[0-9a-fA-F:.]*\]?$/.test(host);
