/** The service servers of the farm; each can be stopped alone. */
export const farmServers = [
  'softswitch',
  'media',
  'conference',
  'qos',
  'oamp',
  'billing',
  'messaging',
  'email',
  'home-networking',
] as const;

export type FarmServerName = (typeof farmServers)[number];

/**
 * All parts that serve verbs. `application-server` answers for the open API itself (sign-in, the farm's list), `e-center`
 * for publishing and installing, `app-host` for cloud halves at work;
 * `user-agent` is the program on each gateway, never on the bus: its verbs travel by `gateway.command`.
 */
export const servers = [
  ...farmServers,
  'session-manager',
  'gateway-edge',
  'application-server',
  'e-center',
  'app-host',
  'user-agent',
] as const;

export type ServerName = (typeof servers)[number];
