/**
 * Drives the rollouts: asks the plan what is next, does it, commits it. Everything that counts is in the store, so that the death of the
 * cloud at any moment costs nothing but time; a gateway that was asked twice takes it as one update.
 */
import { type Statement, type Store, sql } from '#cloud/store/store.ts';
import type { Result } from '#shared/kernel/result.ts';
import { every } from '#shared/kernel/time.ts';
import { type Fault, faults } from '#shared/protocol/fault.ts';
import type { VerbReply } from '#shared/protocol/verbs/index.ts';
import { AS_OAMP, type Oamp } from './parts.ts';
import { type Decision, decide, isActive, type Member, memberStateOf } from './rollout-plan.ts';
import { changeMember, changeRollout, type MemberRow, type RolloutRow, rolloutById, stagesOf } from './rollout-rows.ts';

/** Milliseconds between looks at the rollouts that are open. */
const EVERY = 5_000;
/** Milliseconds that a gateway may take to answer. */
const PATIENCE = 8_000;
/** Decisions upon decisions: advancing a stage lets others be asked. */
const ROUNDS = 20;

export interface RolloutDrive {
  /** Looks at a rollout now. */
  go(rollout: string): void;
  /** A gateway gave a sign of life. */
  heard(rollout: string, gateway: string): void;
  /** Tells the gateways that are at work on a stopped rollout. */
  recall(rollout: string): Promise<void>;
  stop(): void;
}

export function driveRollouts(oamp: Oamp): RolloutDrive {
  const drive = new Drive(oamp);
  drive.start();
  return drive;
}

class Drive implements RolloutDrive {
  readonly #oamp: Oamp;
  /** By rollout and gateway: monotonic ms of the last word, and of the last time it was asked. */
  readonly #heard = new Map<string, number>();
  readonly #asked = new Map<string, number>();
  readonly #since: number;
  readonly #waiting = new Set<string>();
  #stop: () => void = () => {};
  #stopped = false;

  constructor(oamp: Oamp) {
    this.#oamp = oamp;
    this.#since = oamp.world.clock.mono();
  }

  start(): void {
    const { bus, world, background } = this.#oamp;
    const stopTimer = every(world.clock, EVERY, () => background(this.#all()));
    const stopPresence = bus.subscribe('gateway.presence', ({ online }) => {
      if (online) background(this.#all());
    });
    this.#stop = () => {
      stopTimer();
      stopPresence();
    };
  }

  stop(): void {
    this.#stopped = true;
    this.#stop();
  }

  go(rollout: string): void {
    // One look is enough for all that happened before it began.
    if (this.#stopped || this.#waiting.has(rollout)) return;
    this.#waiting.add(rollout);
    this.#oamp.background(
      this.#oamp.oneByOne('rollouts', async () => {
        this.#waiting.delete(rollout);
        await this.#look(rollout);
      }),
    );
  }

  heard(rollout: string, gateway: string): void {
    this.#heard.set(`${rollout} ${gateway}`, this.#oamp.world.clock.mono());
    this.go(rollout);
  }

  async recall(rollout: string): Promise<void> {
    const rows = await facts(this.#oamp.store, rollout);
    const open = rows.filter((row) => row.online === 1 && isActive(row.state));
    await Promise.all(open.map(({ gateway }) => this.#command(gateway, 'update.stop.local', { job: rollout })));
  }

  async #all(): Promise<void> {
    if (this.#stopped) return;
    const open = await this.#oamp.store.all<{ id: string }>(
      "SELECT id FROM rollout WHERE state IN ('running', 'paused') ORDER BY id",
    );
    for (const { id } of open) this.go(id);
  }

  async #look(rollout: string): Promise<void> {
    for (let round = 0; round < ROUNDS && !this.#stopped; round++) {
      const row = await rolloutById(this.#oamp.store, rollout);
      if (row === undefined) return;
      const members = (await facts(this.#oamp.store, rollout)).map((member) => this.#member(rollout, member));
      const decisions = decide({ ...row, errorRate: row.error_rate, stages: stagesOf(row) }, members);
      if (decisions.length === 0) return;
      const asked = decisions.flatMap((one) => (one.do === 'ask' ? [one.gateway] : []));
      const statements = decisions.flatMap((one) => this.#effects(row, one));
      if (statements.length > 0) {
        if (!(await this.#oamp.store.commit(statements)).ok) return;
        this.#oamp.bus.publish('event.appended', {});
      }
      await Promise.all(asked.map((gateway) => this.#ask(row, gateway)));
      // A gateway that refused for now is asked at the next look, not in this one.
      if (asked.length > 0) return;
    }
  }

  #member(rollout: string, row: Facts): Member {
    const now = this.#oamp.world.clock.mono();
    const key = `${rollout} ${row.gateway}`;
    return {
      gateway: row.gateway,
      state: row.state,
      online: row.online === 1,
      known: row.online !== null,
      quiet: now - (this.#heard.get(key) ?? this.#since),
      asked: now - (this.#asked.get(key) ?? this.#since),
    };
  }

  #effects(row: RolloutRow, decision: Decision): Statement[] {
    const { world } = this.#oamp;
    switch (decision.do) {
      case 'silent':
        return [
          changeMember(row.id, decision.gateway, {
            state: 'silent',
            reason: 'update_silent',
            text: `Not heard of for ${Math.round(row.silence / 60_000)} minutes.`,
          }),
        ];
      case 'gone':
        return [changeMember(row.id, decision.gateway, { state: 'skipped', text: 'The gateway was removed.' })];
      case 'advance':
        return changeRollout(world, row, { state: 'running', stage: decision.stage });
      case 'stop':
        return changeRollout(world, row, { state: 'stopped', why: decision.why });
      case 'done':
        return changeRollout(world, row, { state: 'done' });
      case 'ask':
        return [];
    }
  }

  /** Marked as asked before the question leaves, so that a cloud that dies now asks again and counts it. */
  async #ask(row: RolloutRow, gateway: string): Promise<void> {
    const { store, world } = this.#oamp;
    const key = `${row.id} ${gateway}`;
    const now = world.clock.mono();
    if (!this.#heard.has(key)) this.#heard.set(key, now);
    this.#asked.set(key, now);
    await store.commit([
      sql(
        "UPDATE rollout_gateway SET state = 'asked', stage = COALESCE(stage, ?), reason = NULL, text = NULL WHERE rollout = ? AND gateway = ? AND state IN ('waiting', 'asked')",
        ...[row.stage, row.id, gateway],
      ),
    ]);
    const { release, version, board, sha256, size } = row;
    const outcome = await this.#command(gateway, 'update.start.local', {
      job: row.id,
      release,
      version,
      board,
      sha256,
      size,
    });
    const statements = outcome.ok
      ? this.#answered(row.id, gateway, outcome.value)
      : refused(row.id, gateway, outcome.fault);
    if (statements.length === 0) return;
    await store.commit(statements);
    // Who could not be reached, or is busy, is asked again when time has passed.
    if (outcome.ok || isFinal(outcome.fault)) this.go(row.id);
  }

  /** A gateway that had this job before tells how it ended. */
  #answered(rollout: string, gateway: string, body: unknown): Statement[] {
    const { world } = this.#oamp;
    this.#heard.set(`${rollout} ${gateway}`, world.clock.mono());
    const { report } = body as VerbReply<'update.start.local'>;
    if (report === undefined) return [];
    const { reason, text } = report;
    return [
      changeMember(rollout, gateway, {
        state: memberStateOf(report),
        heard: Math.floor(world.clock.wall()),
        ...(reason === undefined ? {} : { reason }),
        ...(text === undefined ? {} : { text }),
      }),
    ];
  }

  async #command(gateway: string, verb: string, body: object): Promise<Result<unknown, Fault>> {
    const command = { gateway, verb, body, timeout: PATIENCE };
    const outcome = await this.#oamp.bus.request('gateway.command', command, AS_OAMP, PATIENCE + 500);
    return outcome.ok ? { ok: true, value: outcome.value.body } : outcome;
  }
}

/** The release is not for this gateway. */
const isFinal = ({ code }: Pick<Fault, 'code'>): boolean =>
  code === 'update_not_possible' || code === 'gateway_refused' || code === 'not_found';

/** What a refusal means: not for this gateway, not now, or not known, in which case it is asked again later. */
function refused(rollout: string, gateway: string, { code, detail }: Fault): Statement[] {
  const text = detail ?? faults[code].title;
  if (isFinal({ code })) return [changeMember(rollout, gateway, { state: 'skipped', reason: code, text })];
  if (code === 'timeout') return [];
  return [
    sql(
      "UPDATE rollout_gateway SET state = 'waiting', stage = NULL, reason = ?, text = ? WHERE rollout = ? AND gateway = ? AND state = 'asked'",
      ...[code, text, rollout, gateway],
    ),
  ];
}

/** A member with its gateway's presence; `online` is null for a gateway that was removed. */
type Facts = MemberRow & { readonly online: number | null };

function facts(store: Store, rollout: string): Promise<Facts[]> {
  return store.all<Facts>(
    "SELECT m.*, g.online FROM rollout_gateway m LEFT JOIN gateway g ON g.id = m.gateway AND g.state = 'paired' WHERE m.rollout = ? ORDER BY m.place",
    [rollout],
  );
}
