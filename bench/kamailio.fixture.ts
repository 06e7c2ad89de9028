/** Kamailio as a peer on the loopback: two UDP workers, registrar in memory, transactions, Record-Route, digest against a fixed password. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { hasProgram } from '#test/peers.ts';
import { childrenOf, cpuOf, HOST, type Processes, residentOf } from './processes.fixture.ts';
import { freePort } from './sipp.fixture.ts';

export const hasKamailio = (): boolean => hasProgram('kamailio');

/** The realm, and the password of everybody. */
export const PEER = { domain: 'bench.example', password: 'bench' } as const;

export interface Kamailio {
  readonly server: string;
  /** CPU seconds of all its processes so far. */
  cpu(): number;
  /** MiB of all its processes; pages that they share are counted once per process. */
  resident(): number;
}

const settings = (port: number): string => `#!KAMAILIO
debug=0
log_stderror=no
fork=yes
children=2
disable_tcp=yes
listen=udp:${HOST}:${port}
dns_srv_lb=no
mpath="/usr/lib/x86_64-linux-gnu/kamailio/modules/"
loadmodule "tm.so"
loadmodule "sl.so"
loadmodule "rr.so"
loadmodule "pv.so"
loadmodule "maxfwd.so"
loadmodule "sanity.so"
loadmodule "textops.so"
loadmodule "siputils.so"
loadmodule "usrloc.so"
loadmodule "registrar.so"
loadmodule "auth.so"
modparam("usrloc", "db_mode", 0)
modparam("registrar", "max_contacts", 4)
modparam("rr", "enable_full_lr", 1)
modparam("auth", "nonce_expire", 300)
request_route {
  if (!mf_process_maxfwd_header("10")) { sl_send_reply("483", "Too Many Hops"); exit; }
  if (!sanity_check()) { exit; }
  if (has_totag()) {
    if (loose_route()) { t_relay(); exit; }
    if (is_method("ACK")) { if (t_check_trans()) { t_relay(); } exit; }
    sl_send_reply("404", "Not Here");
    exit;
  }
  if (is_method("CANCEL|ACK")) { if (t_check_trans()) { t_relay(); } exit; }
  if (!pv_www_authenticate("${PEER.domain}", "${PEER.password}", "0")) { www_challenge("${PEER.domain}", "0"); exit; }
  if (is_method("REGISTER")) { save("location"); exit; }
  consume_credentials();
  record_route();
  if (!lookup("location")) { sl_send_reply("404", "Not Found"); exit; }
  t_relay();
}
`;

/** Starts it; it ends with the other processes of the bench. */
export async function kamailio(processes: Processes): Promise<Kamailio> {
  const port = await freePort();
  const file = join(processes.folder, 'kamailio.cfg');
  writeFileSync(file, settings(port));
  // 256 MiB of shared memory hold many calls; it must not write outside the bench's folder.
  const words = ['-f', file, '-DD', '-E', '-m', '256', '-Y', processes.folder];
  const child = processes.program('kamailio', words);
  const all = (): number[] => [child.pid ?? 0, ...childrenOf(child.pid ?? 0)];
  for (let i = 0; i < 200 && all().length < 4; i++) await pause(20);
  if (child.exitCode !== null) throw new Error(`kamailio ended with ${child.exitCode}`);
  await pause(500);
  const sum = (of: (pid: number) => number): number => all().reduce((total, pid) => total + of(pid), 0);
  return { server: `${HOST}:${port}`, cpu: () => sum(cpuOf), resident: () => sum(residentOf) };
}
