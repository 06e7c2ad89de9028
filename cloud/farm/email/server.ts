/**
 * The e-mail server: mailboxes, sending and reading by the API, SMTP in and out where the operator gave it addresses, a queue that lasts,
 * notices of missed calls, addresses that start applications. Without addresses it opens no socket: mail between the homes of the
 * operator needs none.
 */
import type { Handlers } from '#cloud/bus/bus.ts';
import { type MailSettings, mailDomainOf } from '#cloud/bus/config.ts';
import type { Part, PartContext, RunningPart } from '#cloud/bus/part.ts';
import { onRenewed } from '#cloud/bus/server-certificate.ts';
import { sql } from '#cloud/store/store.ts';
import { ok } from '#shared/kernel/result.ts';
import { every } from '#shared/kernel/time.ts';
import type { Address } from '#shared/kernel/world.ts';
import type { DkimKey } from './adapter-dkim.ts';
import type { Lookup } from './adapter-dns.ts';
import type { OpenDoor } from './adapter-smtp.ts';
import { ensurePostmaster, mailboxHandlers } from './mailboxes.ts';
import { mailHandlers } from './mails.ts';
import type { Office } from './parts.ts';
import { type Carrier, Queue, queueHandlers } from './queue.ts';
import { type Checker, type Door, Reception } from './reception.ts';
import { SendingBudget, sendHandler } from './send.ts';
import { tagHandlers } from './tags.ts';
import { UNCHECKED } from './verdict.ts';
import { watchForNotices } from './watch.ts';

/** What tests put in the place of the network. */
export interface EmailPieces {
  /** DNS for SPF, DKIM and DMARC. */
  readonly lookup?: Lookup;
  /** What brings mails to other domains. */
  readonly carrier?: Carrier;
}

/** Milliseconds for which a row of `mail_notice` and the like is kept: longer than any journal row waits to be read. */
const SWEEP_EVERY = 3_600_000;
const NOTICE_LIFE = 30 * 86_400_000;

export function createEmailServer(pieces: EmailPieces = {}): Part {
  return { name: 'email', start: (context) => start(context, pieces) };
}

async function start(context: PartContext, pieces: EmailPieces): Promise<RunningPart> {
  const { bus, config, store, world } = context;
  const settings = config.mail ?? {};
  const domain = mailDomainOf(config);
  const keyOf = once(async () => (await import('./adapter-dkim.ts')).loadDkimKey(world, config.data, domain));
  const carrier = pieces.carrier ?? (await makeCarrier(context, settings, domain, keyOf));
  let queue: Queue | undefined;
  const office: Office = {
    world,
    store,
    bus,
    config,
    domain,
    hasRoute: carrier !== undefined,
    wakeQueue: () => queue?.wake(),
  };
  await ensurePostmaster(office);
  if (carrier !== undefined) queue = new Queue(office, carrier);
  await queue?.start();
  const sending = new SendingBudget();
  const doors = await openDoors(context, office, settings, sending, pieces.lookup);
  const stopNotices = watchForNotices(office);
  const leave = [
    bus.serve('email', {
      ...mailboxHandlers(office),
      ...mailHandlers(office),
      ...queueHandlers(office),
      ...tagHandlers(office),
      'mail.send': sendHandler(office, sending),
      'mail.domain': domainHandler(office, keyOf),
    }),
    bus.subscribe('lines.changed', ({ home }) => void dropLines(office, home)),
    every(world.clock, SWEEP_EVERY, () => void sweep(office)),
    onRenewed(context, (own) => {
      for (const door of doors) door.renew(own);
    }),
  ];
  return {
    health: () => ({
      state: 'running',
      load: 0,
      legs: (queue?.active ?? 0) + doors.reduce((sum, door) => sum + door.connections(), 0),
    }),
    async stop() {
      for (const stop of leave.splice(0)) stop();
      await Promise.all(doors.map((door) => door.close()));
      await stopNotices();
      await queue?.stop();
    },
  };
}

/** Runs a task at its first call and gives its outcome to every call. */
function once<T>(task: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined;
  return () => {
    made ??= task();
    return made;
  };
}

async function makeCarrier(
  { world }: PartContext,
  { relay, mx, dns }: MailSettings,
  domain: string,
  keyOf: () => Promise<DkimKey>,
): Promise<Carrier | undefined> {
  if (relay === undefined && mx !== true) return undefined;
  if (relay !== undefined && !/^smtps?:\/\/[^/?#]+\/?$/.test(relay))
    throw new Error('--relay is no URL such as smtp://user:password@relay.example:587');
  const { createCarrier } = await import('./adapter-carrier.ts');
  const { createLookup } = await import('./adapter-dns.ts');
  const resolveMx = createLookup(dns).mx;
  return createCarrier({ world, domain, resolveMx, key: await keyOf(), ...(relay === undefined ? {} : { relay }) });
}

/** Opens the doors that have an address; a busy port is an error that names its flag. */
async function openDoors(
  { config, world }: PartContext,
  office: Office,
  settings: MailSettings,
  sending: SendingBudget,
  lookup: Lookup | undefined,
): Promise<OpenDoor[]> {
  const wanted = (['inbound', 'submission'] as const).flatMap((door) => {
    const address = door === 'inbound' ? settings.smtp : settings.submission;
    return address === undefined ? [] : [{ door, address }];
  });
  if (wanted.length === 0) return [];
  const { openDoor } = await import('./adapter-smtp.ts');
  const check =
    settings.smtp === undefined ? async () => UNCHECKED : await makeChecker(world, office, settings, lookup);
  const reception = new Reception(office, sending, check);
  const open: OpenDoor[] = [];
  for (const { door, address } of wanted) {
    try {
      const made = await openDoor(reception, {
        door,
        address,
        domain: office.domain,
        log: world.log,
        ...config.server,
      });
      open.push(made);
      config.bound[door === 'inbound' ? 'smtp' : 'submission'] = made.bound;
    } catch (error) {
      for (const one of open) await one.close();
      throw new Error(busy(door, address, error));
    }
  }
  return open;
}

async function makeChecker(
  { clock, log }: PartContext['world'],
  { domain }: Office,
  { dns }: MailSettings,
  lookup: Lookup | undefined,
): Promise<Checker> {
  const { createChecker } = await import('./adapter-checks.ts');
  const { createLookup } = await import('./adapter-dns.ts');
  return createChecker(clock, log, domain, lookup ?? createLookup(dns).lookup);
}

function busy(door: Door, { host, port }: Address, error: unknown): string {
  const flag = door === 'inbound' ? '--smtp' : '--submission';
  const code = (error as { code?: string }).code ?? String(error);
  return `${flag} ${host}:${port} cannot be opened (${code}); name another address or leave the option out.`;
}

function domainHandler(office: Office, keyOf: () => Promise<DkimKey>): Handlers<'email'>['mail.domain'] {
  return async () => {
    const { domain, config } = office;
    const { SELECTOR } = await import('./adapter-dkim.ts');
    const shown = (at: Address | undefined) => (at === undefined ? undefined : `${at.host}:${at.port}`);
    const smtp = shown(config.bound.smtp);
    const submission = shown(config.bound.submission);
    const record = (name: string, value: string, about: string) => ({ name, type: 'TXT' as const, value, about });
    return ok({
      domain,
      selector: SELECTOR,
      ...(smtp === undefined ? {} : { smtp }),
      ...(submission === undefined ? {} : { submission }),
      records: [
        record(`${SELECTOR}._domainkey.${domain}`, (await keyOf()).record, 'the key that signs our mails (DKIM)'),
        record(
          domain,
          'v=spf1 mx -all',
          'who may send for the domain (SPF): its mail servers; add the relay’s own record',
        ),
        record(`_dmarc.${domain}`, 'v=DMARC1; p=reject', 'what others do with a mail that is not ours (DMARC)'),
      ],
    });
  };
}

/** Takes the addresses of lines that are gone: their numbers may go to somebody else. The mails stay. */
async function dropLines({ store, world }: Office, home: string): Promise<void> {
  const gone = 'home = ? AND line IS NOT NULL AND line NOT IN (SELECT id FROM line)';
  try {
    const row = await store.one(`SELECT id FROM mailbox WHERE ${gone} LIMIT 1`, [home]);
    if (row === undefined) return;
    await store.commit([
      sql(`DELETE FROM mail_address WHERE mailbox IN (SELECT id FROM mailbox WHERE ${gone})`, home),
      sql(`UPDATE mailbox SET line = NULL, salt = NULL, password_hash = NULL WHERE ${gone}`, home),
    ]);
  } catch (error) {
    world.log.error('mail.lines-failed', { error: String(error) });
  }
}

/** Forgets which notices were written long ago. */
async function sweep({ store, world }: Office): Promise<void> {
  const before = world.clock.wall() - NOTICE_LIFE;
  try {
    if ((await store.one('SELECT id FROM mail_notice WHERE at < ? LIMIT 1', [before])) !== undefined)
      await store.commit([sql('DELETE FROM mail_notice WHERE at < ?', before)]);
  } catch (error) {
    world.log.error('mail.sweep-failed', { error: String(error) });
  }
}
