/**
 * Brings what waits to the phones that are there. Every line has one round at a time; in it every phone gets its messages one after
 * another, in the order in which they were accepted. A phone that does not answer keeps what is behind waiting, and is tried again
 * later or once it registers. A message goes out under the same Call-ID and Message-ID at every try, and under the same CSeq until
 * the phone has answered, so that a phone that had it when we died can tell.
 */
import type { PartContext } from '#cloud/bus/part.ts';
import { type Statement, sql, sqlOne } from '#cloud/store/store.ts';
import type { Timer } from '#shared/kernel/world.ts';
import type { VerbReply } from '#shared/protocol/verbs/index.ts';
import { assign, type Errand } from './assignment.ts';
import { compose } from './composition.ts';
import { type Devices, SELF } from './devices.ts';
import type { Outcomes } from './outcomes.ts';
import { type CopyRow, type MessageRow, messageById } from './rows.ts';

/** Lines served at once. */
const ROUNDS_LIMIT = 64;
/** Milliseconds for a phone's answer: RFC 3261 timer F and a little more. */
const ANSWER_WITHIN = 40_000;
/** Milliseconds before a phone that did not answer is tried again: first, and at the most. */
const AGAIN_FIRST = 5_000;
const AGAIN_LAST = 10 * 60_000;
/** The phone has this very request already and is still busy with it (RFC 3261 section 8.2.2.2). */
const MERGED = 482;
/** Milliseconds for which it says so, from the last time that it was asked: timer J. */
const MERGED_FOR = 33_000;
/** Copies looked at in one round. */
const ROUND_COPIES = 1_000;

type Answer = VerbReply<'message.deliver'>;

interface Line {
  running: boolean;
  /** Something came up while a round was on. */
  again: boolean;
  tries: number;
  timer?: Timer;
}

export class Courier {
  readonly #context: PartContext;
  readonly #devices: Devices;
  readonly #lines = new Map<string, Line>();
  /** Lines whose round waits for its turn. */
  readonly #queue: string[] = [];
  /** Phones that take no CPIM (they said 415), by line and device. */
  readonly #plain = new Set<string>();
  /** Phones that are still busy with an earlier try, and until when (monotonic ms); asking them again would only lengthen it. */
  readonly #busy = new Map<string, number>();
  #outcomes: Outcomes | undefined;
  #running = 0;
  #stopped = false;

  constructor(context: PartContext, devices: Devices) {
    this.#context = context;
    this.#devices = devices;
  }

  /** Begins with what an earlier process left. */
  async start(outcomes: Outcomes): Promise<void> {
    this.#outcomes = outcomes;
    const rows = await this.#context.store.all<{ line: string }>(
      "SELECT DISTINCT line FROM message_copy WHERE state = 'waiting'",
    );
    for (const { line } of rows) this.wake(line);
  }

  stop(): void {
    this.#stopped = true;
    for (const { timer } of this.#lines.values()) timer?.cancel();
  }

  /** Lines with something that waits. */
  get size(): number {
    return this.#lines.size;
  }

  /** Something waits for this line. */
  wake(line: string): void {
    const known = this.#lines.get(line) ?? { running: false, again: false, tries: 0 };
    this.#lines.set(line, known);
    known.timer?.cancel();
    delete known.timer;
    if (known.running) known.again = true;
    else this.#start(line, known);
  }

  /** A phone of the line has registered: it gets what waits, now. */
  registered(line: string): void {
    const known = this.#lines.get(line);
    if (known === undefined) return;
    known.tries = 0;
    this.wake(line);
  }

  #start(line: string, known: Line): void {
    known.running = true;
    this.#queue.push(line);
    this.#next();
  }

  #next(): void {
    while (!this.#stopped && this.#running < ROUNDS_LIMIT) {
      const line = this.#queue.shift();
      if (line === undefined) return;
      this.#running++;
      void this.#round(line)
        .catch((error: unknown) => {
          this.#context.world.log.error('messaging.round-failed', { line, error: String(error) });
          return 'unreachable' as const;
        })
        .then((left) => this.#over(line, left));
    }
  }

  /** `none` waits any more, `away`: no phone of them is here, `unreachable`: one did not answer. */
  #over(line: string, left: 'none' | 'away' | 'unreachable'): void {
    this.#running--;
    const known = this.#lines.get(line);
    if (known !== undefined) {
      known.running = false;
      const { clock } = this.#context.world;
      if (this.#stopped) this.#lines.clear();
      else if (known.again) {
        known.again = false;
        this.#start(line, known);
      } else if (left === 'none') this.#lines.delete(line);
      else if (left === 'unreachable') {
        const wait = Math.min(AGAIN_LAST, AGAIN_FIRST * 2 ** Math.min(known.tries++, 10));
        known.timer = clock.at(clock.mono() + wait, () => this.wake(line));
      }
    }
    this.#next();
  }

  async #round(line: string): Promise<'none' | 'away' | 'unreachable'> {
    const here = (await this.#devices.here([line])).get(line) ?? [];
    const copies = here.length === 0 ? [] : await this.#copies(line, here);
    const errands = [...assign(copies, here)].filter(([, list]) => list.length > 0);
    if (errands.length === 0) return (await this.#waits(line)) ? 'away' : 'none';
    const served = await Promise.all(errands.map(([device, list]) => this.#serve(line, device, list)));
    if (served.includes(false)) return 'unreachable';
    const known = this.#lines.get(line);
    // One round looks at so many and no more.
    if (known !== undefined && copies.length >= ROUND_COPIES) known.again = true;
    return (await this.#waits(line)) ? 'away' : 'none';
  }

  async #waits(line: string): Promise<boolean> {
    const row = await this.#context.store.one(
      "SELECT line FROM message_copy WHERE line = ? AND state = 'waiting' LIMIT 1",
      [line],
    );
    return row !== undefined;
  }

  /** All copies of the messages of which some copy may go to a phone that is here. */
  #copies(line: string, here: readonly string[]): Promise<CopyRow[]> {
    const marks = here.map(() => '?').join(', ');
    const waiting = `SELECT position FROM message_copy WHERE line = ? AND state = 'waiting' AND (device IN (${marks}) OR device = '' OR device LIKE 'c%') ORDER BY position LIMIT ${ROUND_COPIES}`;
    return this.#context.store.all<CopyRow>(
      `SELECT c.message, c.line, c.device, c.position, c.state, c.refused FROM message_copy c WHERE c.line = ? AND c.position IN (${waiting}) ORDER BY c.position, c.device`,
      [line, line, ...here],
    );
  }

  /** One phone's messages in order; false where it did not take one now. */
  async #serve(line: string, device: string, errands: readonly Errand[]): Promise<boolean> {
    const { clock } = this.#context.world;
    const key = `${line} ${device}`;
    if ((this.#busy.get(key) ?? 0) > clock.mono()) return false;
    this.#busy.delete(key);
    for (const errand of errands) {
      if (this.#stopped) return true;
      if (errand.held !== device && !(await this.#claim(line, device, errand))) continue;
      const message = await messageById(this.#context.store, errand.message);
      if (message === undefined) continue;
      const answer = await this.#send(message, line, device, 1 + 2 * errand.refused);
      // What was sent in the moment of our end is told by the next process, which sends it again under the same name.
      if (this.#stopped) return true;
      if (answer.outcome === 'unreachable') {
        if (answer.status === MERGED) this.#busy.set(key, clock.mono() + MERGED_FOR);
        else if (answer.status !== 0) await this.#refused(message.id, line, device);
        return false;
      }
      await this.#note(message, line, device, answer);
    }
    return true;
  }

  /** From now on the copy is this phone's, also for the next process. */
  async #claim(line: string, device: string, { message, held }: Errand): Promise<boolean> {
    const claimed = await this.#context.store.commit([
      sqlOne(
        "UPDATE message_copy SET device = ? WHERE message = ? AND line = ? AND device = ? AND state = 'waiting'",
        ...[device, message, line, held],
      ),
    ]);
    return claimed.ok;
  }

  /** An answer, though not a good one: the next try is another request (RFC 3261 section 8.1.3.5). */
  async #refused(message: string, line: string, device: string): Promise<void> {
    await this.#context.store.commit([
      sql(
        'UPDATE message_copy SET refused = refused + 1 WHERE message = ? AND line = ? AND device = ?',
        ...[message, line, device],
      ),
    ]);
  }

  async #send(message: MessageRow, line: string, device: string, cseq: number): Promise<Answer> {
    const key = `${line} ${device}`;
    const plain = this.#plain.has(key);
    const answer = await this.#ask(message, line, device, plain, cseq);
    if (answer.status !== 415 || plain) return answer;
    this.#plain.add(key);
    return message.kind === 'receipt' ? answer : this.#ask(message, line, device, true, cseq + 1);
  }

  async #ask(message: MessageRow, line: string, device: string, plain: boolean, cseq: number): Promise<Answer> {
    const { bus, config, world } = this.#context;
    const { contentType, body } = compose(message, config.domain, plain);
    const { from_party: number, from_name: name, session } = message;
    const asked = await bus.request(
      'message.deliver',
      {
        ...{ line, device, callId: `${message.id}.${device}`, cseq, contentType, body },
        ...(session === null ? {} : { session }),
        from: { number, ...(name === null ? {} : { name }) },
      },
      SELF,
      ANSWER_WITHIN,
    );
    if (asked.ok) return asked.value;
    world.log.debug('messaging.not-sent', { message: message.id, fault: asked.fault.code });
    return { outcome: 'unreachable', status: 0 };
  }

  async #note(message: MessageRow, line: string, device: string, { outcome, status }: Answer): Promise<void> {
    const at = Math.floor(this.#context.world.clock.wall());
    const state = outcome === 'delivered' ? 'delivered' : 'failed';
    const reason = status === 513 ? 'too_large' : 'message_refused';
    const copy = copyChange(message.id, line, device, state, state === 'failed' ? `${reason} ${status}` : null);
    const outcomes = this.#outcomes;
    if (message.kind === 'receipt' || outcomes === undefined) {
      await this.#context.store.commit([copy]);
      return;
    }
    if (state === 'delivered') return outcomes.tell(message.id, line, { fate: 'delivered', at, with: [copy] });
    await this.#context.store.commit([copy]);
    // Refused by all phones of the line: nobody else can take it.
    const waits = await this.#context.store.one(
      "SELECT device FROM message_copy WHERE message = ? AND line = ? AND state IN ('waiting', 'delivered') LIMIT 1",
      [message.id, line],
    );
    if (waits === undefined)
      await outcomes.tell(message.id, line, { fate: 'failed', at, reason: `${reason} ${status}` });
  }
}

function copyChange(message: string, line: string, device: string, state: string, reason: string | null): Statement {
  return sql(
    "UPDATE message_copy SET state = ?, reason = ? WHERE message = ? AND line = ? AND device = ? AND state = 'waiting'",
    ...[state, reason, message, line, device],
  );
}
