/** Bringing mails to other servers (nodemailer): to a relay, or to the servers that a domain names (MX, RFC 5321 section 5.1). */
import { createTransport, type Transporter } from 'nodemailer';
import type { World } from '#shared/kernel/world.ts';
import type { DkimKey } from './adapter-dkim.ts';
import type { Carrier, Job } from './queue.ts';
import type { Delivery } from './retry.ts';
import { exchangers, type Mx } from './route.ts';

export interface CarrierOptions {
  readonly world: Pick<World, 'clock' | 'log'>;
  /** What we call ourselves. */
  readonly domain: string;
  /** `smtp://` or `smtps://`, with credentials where the relay asks for them; absent: MX. */
  readonly relay?: string;
  /** The port of other domains’ servers; 25 everywhere but in tests. */
  readonly mxPort?: number;
  readonly resolveMx: (domain: string) => Promise<readonly Mx[]>;
  readonly key: DkimKey;
}

/** Milliseconds for a connection, the greeting, and each reply (RFC 5321 section 4.5.3.2 allows minutes). */
const TIMES = { connectionTimeout: 30_000, greetingTimeout: 60_000, socketTimeout: 300_000 };
/** Connections to the relay at once. */
const RELAY_CONNECTIONS = 8;

export function createCarrier(options: CarrierOptions): Carrier {
  const { relay, domain, world } = options;
  const fixed = relay === undefined ? undefined : toRelay(relay, domain);
  return {
    async deliver(job) {
      const raw = Buffer.concat([Buffer.from(await options.key.sign(job.raw, world.clock.wall()), 'latin1'), job.raw]);
      if (fixed !== undefined) return send(fixed.transport, fixed.host, job, raw);
      const route = await exchangers(job.domain, options.resolveMx);
      if ('delivery' in route) return all(job, route.delivery);
      return sendToFirst(route.hosts, options, job, raw);
    },
    close: () => fixed?.transport.close(),
  };
}

function toRelay(relay: string, domain: string): { readonly transport: Transporter; readonly host: string } {
  const { hostname, port, protocol, username, password } = new URL(relay);
  const host = hostname.replace(/^\[|\]$/g, '');
  const secure = protocol === 'smtps:';
  const isLocal = host === '127.0.0.1' || host === '::1' || host === 'localhost';
  const transport = createTransport({
    pool: true,
    maxConnections: RELAY_CONNECTIONS,
    maxMessages: Number.POSITIVE_INFINITY,
    host,
    port: port === '' ? (secure ? 465 : 25) : Number(port),
    secure,
    name: domain,
    // On this machine nobody stands between; everywhere else the relay must prove its name.
    tls: { rejectUnauthorized: !isLocal },
    ...(username === '' ? {} : { auth: { user: decodeURIComponent(username), pass: decodeURIComponent(password) } }),
    ...TIMES,
  });
  return { transport, host };
}

/** Asks the domain's servers in their order; the first that can be reached decides. */
async function sendToFirst(
  hosts: readonly string[],
  { domain, mxPort: port = 25, world }: CarrierOptions,
  job: Job,
  raw: Buffer,
): Promise<ReadonlyMap<string, Delivery>> {
  let last = all(job, { is: 'temporary', reply: 'no server of the domain could be reached' });
  for (const host of hosts) {
    // Servers of strangers rarely have a certificate that proves anything: encryption where it is offered (RFC 7435).
    const transport = createTransport({ host, port, name: domain, tls: { rejectUnauthorized: false }, ...TIMES });
    try {
      last = await send(transport, host, job, raw);
    } finally {
      transport.close();
    }
    if (![...last.values()].every((one) => one.is === 'temporary' && one.server === undefined)) return last;
    world.log.debug('mail.server-not-reached', { host });
  }
  return last;
}

interface SmtpError extends Error {
  readonly code?: string;
  readonly responseCode?: number;
  readonly response?: string;
  readonly recipient?: string;
  readonly rejectedErrors?: readonly SmtpError[];
}

async function send(
  transport: Transporter,
  host: string,
  job: Job,
  raw: Buffer,
): Promise<ReadonlyMap<string, Delivery>> {
  const results = new Map<string, Delivery>();
  const envelope = { from: job.sender === '' ? false : job.sender, to: [...job.recipients] };
  try {
    const info = await transport.sendMail({ envelope: envelope as { from: string; to: string[] }, raw });
    for (const address of info.accepted ?? [])
      results.set(String(address), { is: 'delivered', reply: info.response ?? '250', server: host });
    for (const error of info.rejectedErrors ?? []) refused(results, error as SmtpError, host);
  } catch (thrown) {
    const error = thrown as SmtpError;
    for (const one of error.rejectedErrors ?? []) refused(results, one, host);
    for (const address of job.recipients) if (!results.has(address)) results.set(address, outcomeOf(error, host));
  }
  return results;
}

function refused(results: Map<string, Delivery>, error: SmtpError, host: string): void {
  if (error.recipient !== undefined) results.set(error.recipient, outcomeOf(error, host));
}

/** What an error means. Only the server's own 5xx to this mail is for good; that our credentials are refused is the operator's affair. */
function outcomeOf(error: SmtpError, server: string): Delivery {
  const reply = (error.response ?? error.message).slice(0, 500);
  const { responseCode, code } = error;
  if (responseCode === undefined) return { is: 'temporary', reply };
  const final = responseCode >= 500 && (code === 'EENVELOPE' || code === 'EMESSAGE');
  return { is: final ? 'permanent' : 'temporary', reply, server };
}

function all(job: Job, delivery: Delivery): ReadonlyMap<string, Delivery> {
  return new Map(job.recipients.map((address) => [address, delivery]));
}
