/** Mailboxes and their addresses: made, listed, found by address, opened by password. */
import type { Context, Handlers } from '#cloud/bus/bus.ts';
import { homeById, lineById, sees } from '#cloud/store/directory.ts';
import { newPassword } from '#cloud/store/passwords.ts';
import { type Statement, type Store, sql, sqlOne } from '#cloud/store/store.ts';
import { fromHex } from '#shared/kernel/bytes.ts';
import { base32 } from '#shared/kernel/ids.ts';
import { err, ok, type Result } from '#shared/kernel/result.ts';
import { type Fault, fault } from '#shared/protocol/fault.ts';
import type { VerbReply, VerbRequest } from '#shared/protocol/verbs/index.ts';
import { localFrom, readAddress, withoutTag } from './address.ts';
import { command, homesClause, type MailboxRow, makeId, type Office, type Plan, page, seesRow } from './parts.ts';

/** Mailboxes of one home: one for each of its 64 lines, and some more. */
export const MAILBOXES_PER_HOME = 72;
/** Octets that the mails of one mailbox may have together. */
export const MAILBOX_QUOTA = 200 * 1024 * 1024;
/** Addresses that nobody may choose (RFC 2142, and what our own mails come from). */
const RESERVED: ReadonlySet<string> = new Set([
  'postmaster',
  'abuse',
  'hostmaster',
  'mailer-daemon',
  'app',
  'noreply',
  'root',
]);

type View = VerbReply<'mailbox.get'>;

export function mailboxHandlers(
  office: Office,
): Pick<Handlers<'email'>, 'mailbox.create' | 'mailbox.list' | 'mailbox.get' | 'mailbox.set' | 'mailbox.password'> {
  const { store } = office;
  return {
    'mailbox.create': (request, context) =>
      command<'mailbox.create'>(office, context, () => planMailbox(office, request, context)),
    async 'mailbox.list'(request, context) {
      const clause = homesClause(context, request.home);
      if (clause === undefined || (request.home !== undefined && (await homeById(store, request.home)) === undefined))
        return request.home === undefined ? ok({ items: [] }) : err(fault('not_found'));
      const select = `SELECT * FROM mailbox WHERE ${clause.where}`;
      const found = await page<MailboxRow>(store, select, clause.params, request, 'ASC');
      const items = await Promise.all(found.rows.map((row) => view(office, row)));
      return ok({ items, ...(found.next === undefined ? {} : { next: found.next }) });
    },
    async 'mailbox.get'({ mailbox }, context) {
      const row = await visibleMailbox(store, context, mailbox);
      return row === undefined ? err(fault('not_found')) : ok(await view(office, row));
    },
    'mailbox.set': (request, context) =>
      command<'mailbox.set'>(office, context, async () => {
        const row = await visibleMailbox(store, context, request.mailbox);
        if (row === undefined) return err(fault('not_found'));
        const notices = request.notices === undefined ? row.notices : Number(request.notices);
        const after = { ...row, name: request.name ?? row.name, notices };
        const change = sqlOne('UPDATE mailbox SET name = ?, notices = ? WHERE id = ?', after.name, notices, row.id);
        return ok({ reply: await view(office, after), statements: [change] });
      }),
    'mailbox.password': (request, context) =>
      command<'mailbox.password'>(office, context, async () => {
        const row = await visibleMailbox(store, context, request.mailbox);
        if (row === undefined || row.salt === null) return err(fault('not_found'));
        const { password, salt, hash } = await makePassword(office);
        const shown = await view(office, row);
        return ok({
          reply: { ...shown, smtp: { username: shown.address, password } },
          statements: [sqlOne('UPDATE mailbox SET salt = ?, password_hash = ? WHERE id = ?', salt, hash, row.id)],
        });
      }),
  };
}

export async function mailboxById(store: Store, id: string): Promise<MailboxRow | undefined> {
  return store.one<MailboxRow>('SELECT * FROM mailbox WHERE id = ?', [id]);
}

async function visibleMailbox(store: Store, context: Context, id: string): Promise<MailboxRow | undefined> {
  const row = await mailboxById(store, id);
  return row !== undefined && seesRow(context, row.home) ? row : undefined;
}

/** The mailbox that gets mail to a local part, by its address or by what stands before a `+tag` of it. */
export async function mailboxByLocal(store: Store, local: string): Promise<MailboxRow | undefined> {
  const exact = await byLocal(store, local.toLowerCase());
  const base = withoutTag(local.toLowerCase());
  return exact ?? (base === undefined ? undefined : byLocal(store, base));
}

function byLocal(store: Store, local: string): Promise<MailboxRow | undefined> {
  return store.one<MailboxRow>(
    'SELECT mailbox.* FROM mail_address JOIN mailbox ON mailbox.id = mail_address.mailbox WHERE mail_address.local = ?',
    [local],
  );
}

/** The local parts of a mailbox, the one that it sends from first. */
export async function localsOf(store: Store, mailbox: string): Promise<string[]> {
  const rows = await store.all<{ local: string }>(
    'SELECT local FROM mail_address WHERE mailbox = ? ORDER BY place, local',
    [mailbox],
  );
  return rows.map((row) => row.local);
}

/** The first mailbox of a home that can send: its own, else one of its lines'. */
export function mainMailbox(store: Store, home: string): Promise<MailboxRow | undefined> {
  return store.one<MailboxRow>(
    "SELECT * FROM mailbox WHERE home = ? AND kind IN ('home', 'line') ORDER BY kind, id LIMIT 1",
    [home],
  );
}

const NOBODY = { salt: '0'.repeat(32), password_hash: '0'.repeat(64) };

/** The mailbox that address and password open. An unknown address costs the same work as a wrong password. */
export async function openMailbox(
  { store, world, domain }: Office,
  username: string,
  password: string,
): Promise<MailboxRow | undefined> {
  const address = readAddress(username.includes('@') ? username : `${username}@${domain}`);
  const found = address?.domain === domain ? await byLocal(store, address.local.toLowerCase()) : undefined;
  const { salt, password_hash } = found ?? NOBODY;
  const hash = await world.crypto.passwordHash(password, fromHex(salt ?? NOBODY.salt) ?? new Uint8Array());
  const known = fromHex(password_hash ?? NOBODY.password_hash) ?? new Uint8Array();
  return world.crypto.equal(hash, known) && found?.salt != null ? found : undefined;
}

/** The operator's own mailbox: every domain has a postmaster (RFC 5321 section 4.5.1). */
export async function ensurePostmaster({ store, world }: Office): Promise<void> {
  if ((await byLocal(store, 'postmaster')) !== undefined) return;
  const id = makeId(world, 'mbx');
  await store.commit([
    ...insertMailbox({
      id,
      home: null,
      line: null,
      kind: 'operator',
      name: 'Postmaster',
      notices: 0,
      created_at: world.clock.wall(),
    }),
    ...['postmaster', 'abuse', 'hostmaster'].map((local, place) => insertAddress(local, id, place)),
  ]);
}

type NewRow = Pick<MailboxRow, 'id' | 'home' | 'line' | 'kind' | 'name' | 'notices' | 'created_at'>;

/** The statement that makes a mailbox; the first one of a home that is full changes nothing and so fails the commit. */
export function insertMailbox(row: NewRow, secret?: { readonly salt: string; readonly hash: string }): Statement[] {
  return [
    sqlOne(
      `INSERT INTO mailbox (id, home, line, kind, name, notices, salt, password_hash, quota, created_at)
       SELECT ?, ?, ?, ?, ?, ?, ?, ?, ?, ? WHERE (SELECT COUNT(*) FROM mailbox WHERE home = ?) < ?`,
      row.id,
      row.home,
      row.line,
      row.kind,
      row.name,
      row.notices,
      secret?.salt ?? null,
      secret?.hash ?? null,
      MAILBOX_QUOTA,
      row.created_at,
      row.home ?? '',
      row.kind === 'application' ? APPLICATION_MAILBOXES : MAILBOXES_PER_HOME,
    ),
  ];
}

/** Mailboxes of one home with those of its applications. */
const APPLICATION_MAILBOXES = MAILBOXES_PER_HOME + 200;

export function insertAddress(local: string, mailbox: string, place: number): Statement {
  return sql('INSERT INTO mail_address (local, mailbox, place) VALUES (?, ?, ?)', local, mailbox, place);
}

async function makePassword({ world }: Office) {
  const password = base32(world.random.bytes(15));
  return { password, ...(await newPassword(world, password)) };
}

async function planMailbox(
  office: Office,
  request: VerbRequest<'mailbox.create'>,
  context: Context,
): Promise<Plan<'mailbox.create'>> {
  const { store, world } = office;
  const home = sees(context.principal, request.home) ? await homeById(store, request.home) : undefined;
  if (home === undefined) return err(fault('not_found'));
  const line = request.line === undefined ? undefined : await lineById(store, request.line);
  if (request.line !== undefined && line?.home !== home.id) return err(fault('not_found'));
  const held = await store.one<{ n: number }>(
    "SELECT COUNT(*) AS n FROM mailbox WHERE home = ? AND kind <> 'application'",
    [home.id],
  );
  if ((held?.n ?? 0) >= MAILBOXES_PER_HOME)
    return err(fault('limit_reached', `A home has at most ${MAILBOXES_PER_HOME} mailboxes.`, { pointer: '/home' }));
  const locals = await chooseLocals(office, request, line?.number, home.name);
  if (!locals.ok) return locals;
  const { password, ...secret } = await makePassword(office);
  const row: MailboxRow = {
    id: makeId(world, 'mbx'),
    home: home.id,
    line: line?.id ?? null,
    kind: line === undefined ? 'home' : 'line',
    name: request.name ?? line?.name ?? home.name,
    notices: Number(request.notices ?? true),
    salt: secret.salt,
    password_hash: secret.hash,
    used: 0,
    quota: MAILBOX_QUOTA,
    created_at: world.clock.wall(),
  };
  const addresses = locals.value.map((local) => `${local}@${office.domain}`);
  const shown = toView(row, addresses, 0);
  return ok({
    reply: { ...shown, smtp: { username: shown.address, password } },
    statements: [...insertMailbox(row, secret), ...locals.value.map((local, i) => insertAddress(local, row.id, i))],
  });
}

/** The addresses of a new mailbox: what was asked for, and a line's number with and without its plus sign. */
async function chooseLocals(
  office: Office,
  { address, line }: VerbRequest<'mailbox.create'>,
  number: string | undefined,
  name: string,
): Promise<Result<string[], Fault>> {
  const { store } = office;
  if (line !== undefined && (await store.one('SELECT id FROM mailbox WHERE line = ?', [line])) !== undefined)
    return err(fault('mail_address_taken', 'This line has a mailbox already.', { pointer: '/line' }));
  const asked = address === undefined ? [] : [address];
  if (address !== undefined && (RESERVED.has(address) || (await byLocal(store, address)) !== undefined))
    return err(fault('mail_address_taken', undefined, { pointer: '/address' }));
  if (number !== undefined) return ok([number, number.slice(1), ...asked]);
  return ok(asked.length > 0 ? asked : [await freeLocal(office, localFrom(name))]);
}

/** The wished local part, or that with a low number that makes it free, or with random characters where many want the same. */
async function freeLocal({ store, world }: Office, wish: string): Promise<string> {
  const stem = wish === '' || RESERVED.has(wish) ? `home-${wish}`.replace(/-$/, '') : wish;
  for (let i = 1; i < 10; i++) {
    const local = i === 1 ? stem : `${stem}-${i}`;
    if ((await byLocal(store, local)) === undefined) return local;
  }
  return `${stem}-${base32(world.random.bytes(5))}`;
}

async function view({ store, domain }: Office, row: MailboxRow): Promise<View> {
  const locals = await localsOf(store, row.id);
  const unseen = await store.one<{ n: number }>(
    "SELECT COUNT(*) AS n FROM mail WHERE mailbox = ? AND folder = 'inbox' AND seen = 0",
    [row.id],
  );
  const addresses = locals.map((local) => `${local}@${domain}`);
  return toView(row, addresses, unseen?.n ?? 0);
}

function toView(row: MailboxRow, addresses: readonly string[], unseen: number): View {
  return {
    id: row.id,
    ...(row.home === null ? {} : { home: row.home }),
    ...(row.line === null ? {} : { line: row.line }),
    kind: row.kind,
    name: row.name,
    address: addresses[0] ?? '',
    addresses: [...addresses],
    notices: row.notices === 1,
    unseen,
    used: row.used,
    quota: row.quota,
    createdAt: row.created_at,
  };
}
