/**
 * The cloud dies while mails are on their way: at every crash point of sending, and at random instants. What it said yes to
 * arrives; in our own mailboxes once, at the other server at least once and always with the same Message-ID.
 */
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Seeded } from '#simulator/random.ts';
import { hasFile, isLong } from '../peers.ts';
import { seed } from '../support/seed.ts';
import { type Mailbox, MailPost, PEER_FILES, pause, until } from './mail-post.ts';

const KILLS = isLong ? 200 : 10;
/** More crash points than sending one mail has. */
const MOST_POINTS = 40;
/** Milliseconds that a signal may take to reach the store's writer. */
const SIGNAL = 200;

interface Shown {
  readonly messageId: string;
  readonly recipients: readonly { readonly address: string; readonly state: string }[];
}

describe.skipIf(!PEER_FILES.every(hasFile))(
  `kill -9 while mails are on their way (HEARTHLINE_SEED=${seed})`,
  { timeout: 600_000 },
  () => {
    const random = new Seeded(seed);
    const sent = new Map<string, string>();
    let post: MailPost;
    let elm: Mailbox;
    let oak: Mailbox;
    let cutOff: string | undefined;
    beforeAll(async () => {
      post = await MailPost.open();
      [elm, oak] = [await post.mailbox('elm'), await post.mailbox('oak')];
      await post.publishKey();
      await post.stop('SIGTERM');
    }, 60_000);
    afterAll(() => post?.[Symbol.asyncDispose]());

    /** One mail to a mailbox of ours, to one that the other server takes slowly and to one that it does not know. */
    async function send(key: string): Promise<void> {
      const to = [oak.address, `slow-${key}@other.example`, `nobody-${key}@other.example`];
      const { id } = await post.api<{ id: string }>('/v1/mails', { mailbox: elm.id, to, subject: key, text: 'x' }, key);
      sent.set(key, id);
      await settled(id);
    }

    async function settled(id: string): Promise<Shown> {
      return until(async () => {
        if (post.isDead) throw new Error('the cloud died');
        const shown = await post.api<Shown>(`/v1/mails/${id}`);
        return shown.recipients.every(({ state }) => state !== 'queued') ? shown : undefined;
      }, `the mail ${id} to be through`);
    }

    /** Starts the cloud; what its last death cut off is asked again with the same key, as a client does, and must go through. */
    async function revived(crashAt?: number): Promise<void> {
      await post.stop('SIGKILL');
      await post.start(crashAt);
      if (cutOff !== undefined) await send(cutOff);
      cutOff = undefined;
    }

    it('at every crash point of sending', async () => {
      let points = 0;
      // Twice through without dying: there is no such point any more (once may be a signal that came late).
      for (let through = 0, point = 1; through < 2 && point < MOST_POINTS; point++) {
        const key = `point-${point}`;
        await revived(point);
        post.cloud.kill('SIGUSR2');
        await pause(SIGNAL);
        const isThrough = await send(key).then(
          () => true,
          () => false,
        );
        through = isThrough ? through + 1 : 0;
        if (isThrough) continue;
        points++;
        cutOff = key;
        await until(() => post.isDead || undefined, 'the death');
      }
      console.info(`crash points of sending a mail: ${points}`);
      expect(points).toBeGreaterThanOrEqual(4);
    });

    it(`at ${KILLS} random instants`, async () => {
      for (let i = 1; i <= KILLS; i++) {
        await revived();
        const key = `kill-${i}`;
        const killing = pause(random.below(700)).then(() => post.stop('SIGKILL'));
        await send(key).catch(() => undefined);
        await killing;
        cutOff = key;
      }
      await revived();
    });

    it('after all of these: every mail is where it belongs, once; nothing waits, nothing is left over', async () => {
      const here = (await post.inbox(oak.id)).map(({ subject }) => subject);
      expect(here.toSorted()).toEqual([...sent.keys()].toSorted());
      const reports = (await post.inbox(elm.id)).filter(({ from }) => from.startsWith('postmaster@'));
      expect(reports).toHaveLength(sent.size);
      for (const [key, id] of sent) {
        const shown = await settled(id);
        expect(shown.recipients.map(({ state }) => state).toSorted()).toEqual(['bounced', 'delivered', 'delivered']);
        const taken = post.taken.filter(({ subject }) => subject === key);
        expect(taken.length).toBeGreaterThanOrEqual(1);
        expect(new Set(taken.map(({ messageId }) => messageId))).toEqual(new Set([`<${shown.messageId}>`]));
        expect(taken.every(({ dkim }) => dkim)).toBe(true);
      }
      console.info(`mails ${sent.size}, taken by the other server ${post.taken.length} times`);
      expect((await post.api<{ items: unknown[] }>('/v1/mail-queue')).items).toEqual([]);
      await post.stop('SIGTERM');
      const db = new DatabaseSync(join(post.folder, 'data', 'hearthline.db'), { readOnly: true });
      const count = (sql: string) => Number(db.prepare(sql).get()?.n);
      expect(count('SELECT COUNT(*) AS n FROM mail_raw WHERE id NOT IN (SELECT raw FROM mail)')).toBe(0);
      expect(
        count(
          'SELECT COUNT(*) AS n FROM mailbox WHERE used <> COALESCE((SELECT SUM(size) FROM mail WHERE mailbox = mailbox.id), 0)',
        ),
      ).toBe(0);
      db.close();
    });
  },
);
