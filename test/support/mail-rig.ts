/** The e-mail server on a virtual world: two homes with a line each, a third one without, and what the server did. */
import type { Context, Outcome } from '#cloud/bus/bus.ts';
import type { CloudConfig, MailSettings } from '#cloud/bus/config.ts';
import { createBus, type InProcessBus } from '#cloud/bus/in-process.ts';
import type { RunningPart } from '#cloud/bus/part.ts';
import { createEmailServer, type EmailPieces } from '#cloud/farm/email/server.ts';
import { openLocalStore } from '#cloud/store/local.ts';
import { type Store, sql } from '#cloud/store/store.ts';
import type { World } from '#shared/kernel/world.ts';
import type { VerbName, VerbReply, VerbRequest } from '#shared/protocol/verbs/index.ts';
import { VirtualWorld } from '#simulator/world.ts';

const account = (role: 'operator' | 'subscriber', homes: readonly string[] | 'all'): Context => ({
  principal: { kind: 'account', account: 'acc_1', role, homes, scopes: 'all' },
});
export const OPERATOR = account('operator', 'all');
export const subscriber = (...homes: string[]): Context => account('subscriber', homes);

/** What the journal tells of a leg that has ended. */
interface EndedLeg {
  readonly id: string;
  readonly startedAt: number;
  readonly answeredAt?: number;
  readonly reason: string;
}

export class MailRig {
  readonly world = new VirtualWorld({ seed: 1 });
  readonly host: World = this.world.host('cloud', ['10.0.0.1']);
  readonly store: Store = openLocalStore(':memory:');
  readonly bus: InProcessBus = createBus({ log: this.host.log, clock: this.host.clock });
  part!: RunningPart;
  #position = 0;

  static async open(pieces: EmailPieces = {}, mail: MailSettings = {}): Promise<MailRig> {
    const rig = new MailRig();
    await rig.store.commit([
      ...[1, 2, 3].map((n) => sql('INSERT INTO home (id, name, created_at) VALUES (?, ?, 0)', `home_${n}`, 'H')),
      ...[1, 2].map((n) =>
        sql(
          "INSERT INTO line (id, home, number, username, class, kind, ha1_md5, ha1_sha256, created_at) VALUES (?, ?, ?, ?, 'standard', 'phone', '', '', 0)",
          `line_${n}`,
          `home_${n}`,
          `+1555010000${n}`,
          `u${n}`,
        ),
      ),
    ]);
    await rig.start(pieces, mail);
    return rig;
  }

  async start(pieces: EmailPieces = {}, mail: MailSettings = {}): Promise<void> {
    const config = {
      data: '/data',
      domain: 'hearthline',
      publicHost: '10.0.0.1',
      mail,
      bound: {},
    } as unknown as CloudConfig;
    const starting = createEmailServer(pieces).start({ world: this.host, bus: this.bus, store: this.store, config });
    this.part = await this.world.settle(starting);
  }

  async close(): Promise<void> {
    await this.world.settle(this.part.stop());
    await this.store.close();
    this.world[Symbol.dispose]();
  }

  ask<V extends VerbName>(verb: V, request: VerbRequest<V>, context = OPERATOR): Promise<Outcome<V>> {
    return this.world.settle(this.bus.request(verb, request, context));
  }

  async get<V extends VerbName>(verb: V, request: VerbRequest<V>, context = OPERATOR): Promise<VerbReply<V>> {
    const outcome = await this.ask(verb, request, context);
    if (!outcome.ok) throw new Error(`${verb}: ${JSON.stringify(outcome.fault)}`);
    return outcome.value as VerbReply<V>;
  }

  async count(table: string): Promise<number> {
    return (await this.store.one<{ n: number }>(`SELECT COUNT(*) AS n FROM ${table}`))?.n ?? 0;
  }

  /** Type, home and subject of the events so far. */
  async events(): Promise<unknown[]> {
    const rows = await this.store.all<{ type: string; home: string | null; subject: string }>(
      'SELECT type, home, subject FROM event ORDER BY position',
    );
    return rows.map(({ type, home, subject }) => [type, home, subject]);
  }

  async lastEvent(type: string) {
    const row = await this.store.one<{ home: string | null; subject: string; data: string }>(
      'SELECT home, subject, data FROM event WHERE type = ? ORDER BY position DESC LIMIT 1',
      [type],
    );
    return row === undefined ? undefined : { ...row, data: JSON.parse(row.data) as unknown };
  }

  /** Leaves a mailbox no room, or room for so many octets. */
  async fill(mailbox: string, room = 0): Promise<void> {
    await this.store.commit([sql('UPDATE mailbox SET used = quota - ? WHERE id = ?', room, mailbox)]);
  }

  async removeLine(line: string): Promise<void> {
    await this.store.commit([sql('DELETE FROM line WHERE id = ?', line)]);
    this.bus.publish('lines.changed', { home: 'home_1' });
    await this.world.run(10);
  }

  /** The journal of a session with these legs, to its end. */
  async ended(session: string, legs: readonly EndedLeg[]): Promise<void> {
    const row = (seq: number, type: string, data: object) =>
      sql(
        'INSERT INTO journal (session, seq, position, at, type, leg, cause, data) VALUES (?, ?, ?, 0, ?, NULL, NULL, ?)',
        ...[session, seq, ++this.#position, type, JSON.stringify(data)],
      );
    const records = legs.map(({ id, startedAt, answeredAt, reason }) => ({
      ...{ leg: id, start: startedAt, reason },
      ...(answeredAt === undefined ? {} : { answer: answeredAt }),
    }));
    const plans = legs.map(({ startedAt: _, answeredAt: __, reason: ___, ...plan }) => plan);
    await this.store.commit([row(1, 'created', { legs: plans }), row(2, 'ended', { records })]);
    this.bus.publish('session.changed', { session, seq: 2 });
    await this.world.run(1_000);
  }
}
