/** Kamailio as a carrier at the other end of a trunk: one that wants registration and digest, or one that trusts an address. */
import { join } from 'node:path';
import type { Address } from '#shared/kernel/world.ts';
import { KamailioProgram, OPENING } from './kamailio-program.ts';

export const CARRIER = { domain: 'carrier.example', username: 'hearth', password: 'deep-water' } as const;

export interface CarrierOptions {
  readonly folder: string;
  readonly name: string;
  readonly port: number;
  /** The carrier's own subscriber: calls that come from us go there. */
  readonly far: Address;
  /** Where a call of that subscriber goes: to who registered, or straight to this address. */
  readonly to: 'registered' | Address;
  /** Called numbers with this beginning are refused with 503. */
  readonly refuses?: string;
}

export const startCarrier = (options: CarrierOptions): Promise<KamailioProgram> =>
  KamailioProgram.start(join(options.folder, options.name), settings(options), options.port);

function settings({ port, far, to, refuses }: CarrierOptions): string {
  const { domain, username, password } = CARRIER;
  const modules = ['tm', 'sl', 'rr', 'pv', 'maxfwd', 'textops', 'siputils', 'usrloc', 'registrar', 'auth'];
  const signed = (proxy: 'www' | 'proxy') =>
    `if (!pv_${proxy}_authenticate("${domain}", "${password}", "0")) { ${proxy}_challenge("${domain}", "0"); exit; }`;
  const registers = to === 'registered';
  const inward = registers
    ? `$ru = "sip:${username}@${domain}"; if (!lookup("location")) { sl_send_reply("404", "Not Found"); exit; }`
    : `$du = "sip:${to.host}:${to.port}";`;
  return `#!KAMAILIO
debug=0
log_stderror=yes
fork=yes
children=1
disable_tcp=yes
listen=udp:127.0.0.1:${port}
alias="${domain}"
mpath="/usr/lib/x86_64-linux-gnu/kamailio/modules/"
${modules.map((name) => `loadmodule "${name}.so"`).join('\n')}
modparam("usrloc", "db_mode", 0)
modparam("rr", "enable_full_lr", 1)
request_route {
  ${OPENING}
  if (is_method("REGISTER")) { ${registers ? `${signed('www')} save("location"); exit;` : 'sl_send_reply("403", "No"); exit;'} }
  record_route();
  if ($sp == ${far.port}) { ${inward} t_relay(); exit; }
  ${registers ? `${signed('proxy')} consume_credentials();` : `if ($sp != ${(to as Address).port}) { sl_send_reply("403", "No"); exit; }`}
  ${refuses === undefined ? '' : `if ($rU =~ "^${refuses.replace('+', '\\+')}") { sl_send_reply("503", "Full"); exit; }`}
  $du = "sip:${far.host}:${far.port}";
  t_relay();
}
`;
}
