/** Lines: numbers with SIP credentials. Only HA1s are kept; a password stands in the one reply that creates the line. */
import type { Context, Handlers, Outcome } from '#cloud/bus/bus.ts';
import { type LineRow, lineById, linesOfHome } from '#cloud/store/directory.ts';
import { type Statement, sqlOne } from '#cloud/store/store.ts';
import { hex, utf8 } from '#shared/kernel/bytes.ts';
import { base32 } from '#shared/kernel/ids.ts';
import { err, ok } from '#shared/kernel/result.ts';
import { type Fault, fault } from '#shared/protocol/fault.ts';
import type { VerbReply, VerbRequest } from '#shared/protocol/verbs/index.ts';
import { pushDocument, voiceChange } from './desired.ts';
import { AS_OAMP, command, makeId, type Oamp, type Plan, page, visibleHome } from './parts.ts';

/** Lines of a home, `unmetered` ones aside. */
export const LINES_PER_HOME = 64;
/** Numbers that are given out when none is asked for: this prefix and four digits (fictitious numbers of the plan +1 555 01…). */
const NUMBER_PREFIX = '+1555010';
const NUMBER_DIGITS = 4;

export function lineHandlers(oamp: Oamp): Pick<Handlers<'oamp'>, 'line.create' | 'line.list' | 'line.remove'> {
  const { store } = oamp;
  return {
    async 'line.create'(request, context) {
      const { principal } = context;
      if (request.class === 'unmetered' && principal.kind === 'account' && principal.role !== 'operator') {
        return err(fault('forbidden', 'Only the operator makes lines without caps.'));
      }
      const outcome = await oamp.oneByOne('lines', () => createLine(oamp, request, context));
      if (outcome.ok) changed(oamp, request.home);
      return outcome;
    },
    async 'line.list'(request, context) {
      const hidden = await visibleHome(store, context, request.home);
      if (hidden !== undefined) return err(hidden);
      const found = await page<LineRow>(store, 'SELECT * FROM line WHERE home = ?', [request.home], request);
      const registered = await registeredLines(oamp, found.rows);
      return ok({
        items: found.rows.map((row) => toLine(oamp, row, registered.has(row.id))),
        ...(found.next === undefined ? {} : { next: found.next }),
      });
    },
    async 'line.remove'(request, context) {
      const outcome = await oamp.oneByOne('lines', () => removeLine(oamp, request, context));
      if (outcome.ok) changed(oamp, request.home);
      return outcome;
    },
  };
}

function createLine(
  oamp: Oamp,
  request: VerbRequest<'line.create'>,
  context: Context,
): Promise<Outcome<'line.create'>> {
  const plan = () => planLine(oamp, request, context);
  return command<'line.create'>(oamp, context, plan, (failure) => {
    if (failure.why === 'unique') return request.number === undefined ? undefined : fault('number_taken');
    return failure.statement === 0
      ? fault('limit_reached', `A home has at most ${LINES_PER_HOME} lines.`, { pointer: '/home' })
      : undefined;
  });
}

function removeLine(
  oamp: Oamp,
  request: VerbRequest<'line.remove'>,
  context: Context,
): Promise<Outcome<'line.remove'>> {
  const { store } = oamp;
  return command<'line.remove'>(oamp, context, async () => {
    const hidden = await visibleHome(store, context, request.home);
    const row = hidden === undefined ? await lineById(store, request.line) : undefined;
    if (row === undefined || row.home !== request.home) return err(fault('not_found'));
    const left = (await linesOfHome(store, request.home)).filter((line) => line.id !== row.id);
    const change = await voiceChange(oamp, request.home, left);
    return ok({ reply: {}, statements: [sqlOne('DELETE FROM line WHERE id = ?', row.id), ...change] });
  });
}

function changed(oamp: Oamp, home: string): void {
  oamp.bus.publish('lines.changed', { home });
  oamp.background(pushDocument(oamp, home, 'voice'));
}

async function planLine(
  oamp: Oamp,
  request: VerbRequest<'line.create'>,
  context: Context,
): Promise<Plan<'line.create'>> {
  const { store, world, config } = oamp;
  const hidden = await visibleHome(store, context, request.home);
  if (hidden !== undefined) return err(hidden);
  const number = request.number ?? (await freeNumber(oamp));
  if (number === undefined) return err(noNumberLeft());
  const username = `u${base32(world.random.bytes(5))}`;
  // A letter first: programs that take hexadecimal keys (SIPp) read whatever begins with 0x as one.
  const password = `p${base32(world.random.bytes(15))}`;
  const a1 = utf8(`${username}:${config.domain}:${password}`);
  const row: LineRow = {
    id: makeId(world, 'line'),
    home: request.home,
    number,
    username,
    name: request.name ?? null,
    class: request.class ?? 'standard',
    kind: request.kind ?? 'phone',
    ha1_md5: hex(world.crypto.hash('md5', a1)),
    ha1_sha256: hex(world.crypto.hash('sha256', a1)),
    created_at: world.clock.wall(),
  };
  const change = await voiceChange(oamp, request.home, [...(await linesOfHome(store, request.home)), row]);
  const line = toLine(oamp, row, false);
  return ok({ reply: { ...line, sip: { ...line.sip, password } }, statements: [insert(row), ...change] });
}

/** Inserts the line unless its home is full; one statement, so that lines made at once cannot pass the cap together. */
function insert(row: LineRow): Statement {
  const room = "(SELECT COUNT(*) FROM line WHERE home = ? AND class = 'standard') < ?";
  return sqlOne(
    `INSERT INTO line (id, home, number, username, name, class, kind, ha1_md5, ha1_sha256, created_at)
     SELECT ?, ?, ?, ?, ?, ?, ?, ?, ?, ? WHERE ${row.class === 'unmetered' ? '? = ?' : room}`,
    row.id,
    row.home,
    row.number,
    row.username,
    row.name,
    row.class,
    row.kind,
    row.ha1_md5,
    row.ha1_sha256,
    row.created_at,
    row.home,
    row.class === 'unmetered' ? row.home : LINES_PER_HOME,
  );
}

/** The number after the highest of our range; once that is used up, the lowest free one. */
async function freeNumber({ store }: Oamp): Promise<string | undefined> {
  const last = NUMBER_PREFIX + '9'.repeat(NUMBER_DIGITS);
  const range = [NUMBER_PREFIX + '0'.repeat(NUMBER_DIGITS), last, last.length];
  const highest = await store.one<{ number: string }>(
    'SELECT number FROM line WHERE number BETWEEN ? AND ? AND LENGTH(number) = ? ORDER BY number DESC LIMIT 1',
    range,
  );
  if (highest?.number !== last) return numberAt(Number(highest?.number.slice(NUMBER_PREFIX.length) ?? 0) + 1);
  const rows = await store.all<{ number: string }>(
    'SELECT number FROM line WHERE number BETWEEN ? AND ? AND LENGTH(number) = ?',
    range,
  );
  const taken = new Set(rows.map((row) => row.number));
  for (let i = 1; i < 10 ** NUMBER_DIGITS; i++) if (!taken.has(numberAt(i))) return numberAt(i);
  return undefined;
}

function numberAt(i: number): string {
  return NUMBER_PREFIX + String(i).padStart(NUMBER_DIGITS, '0');
}

function noNumberLeft(): Fault {
  return fault('limit_reached', `All numbers ${NUMBER_PREFIX}… are given out; name the number yourself.`);
}

/** Ids of those lines that a phone is registered on; none while the softswitch is stopped. */
async function registeredLines({ bus }: Oamp, rows: readonly LineRow[]): Promise<ReadonlySet<string>> {
  if (rows.length === 0 || !bus.has('softswitch')) return new Set();
  const answer = await bus.request('registration.list', { lines: rows.map((row) => row.id) }, AS_OAMP, 2_000);
  return new Set(answer.ok ? answer.value.items.filter((item) => item.contacts > 0).map((item) => item.line) : []);
}

function toLine({ config }: Oamp, row: LineRow, registered: boolean): VerbReply<'line.list'>['items'][number] {
  return {
    id: row.id,
    home: row.home,
    number: row.number,
    ...(row.name === null ? {} : { name: row.name }),
    class: row.class,
    kind: row.kind,
    sip: { username: row.username, domain: config.domain },
    registered,
  };
}
