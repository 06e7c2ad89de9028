/** Runs the updater's machine on the world: board, disk, network, the bond with the cloud. */
import { utf8 } from '#shared/kernel/bytes.ts';
import { NEVER, TICK } from '#shared/kernel/machine.ts';
import { err, ok, type Result } from '#shared/kernel/result.ts';
import { sleep } from '#shared/kernel/time.ts';
import type { Timer, World } from '#shared/kernel/world.ts';
import { type Fault, fault } from '#shared/protocol/fault.ts';
import type { CloudUrl } from '#shared/protocol/pairing.ts';
import type { VerbReply, VerbRequest } from '#shared/protocol/verbs/index.ts';
import type { Agent } from '../agent/agent.ts';
import type { Board, BoardFacts, Refusal } from './board.ts';
import { copy, download, type FetchFault, type FetchOptions, type Place, sizeOf } from './fetch.ts';
import { updater } from './machine.ts';
import { freshState, readSaved, writeSaved } from './saved.ts';
import type { Health, Input, Job, Output, Report, UpdaterState } from './states.ts';
import { sticks } from './sticks.ts';

export interface UpdaterOptions {
  readonly world: World;
  readonly board: Board;
  /** File of the updater's state; folder of bundles. */
  readonly state: string;
  readonly folder: string;
  readonly cloud: CloudUrl | undefined;
  readonly agent: () => Agent | undefined;
  /** Tests the gateway itself; resolves within half a minute. */
  readonly test: () => Promise<Health>;
  readonly paired: () => boolean;
  /** Calls are up: the board waits with its restart. */
  readonly busy: () => boolean;
}

/** Milliseconds between words about a long download, looks for the end of calls, and the longest wait for it. */
const TELL_EVERY = 5 * 60_000;
const CALLS_EVERY = 10_000;
const CALLS_MOST = 10 * 60_000;

export class Updater {
  readonly #o: UpdaterOptions;
  #state: UpdaterState = freshState();
  #order: Promise<void> = Promise.resolve();
  #timer: Timer | undefined;
  #stopped = false;
  /** Counts the steps taken: what an older one still brings is nobody's. */
  #turn = 0;
  #octets = 0;
  #facts: BoardFacts | undefined;
  #flushing: Promise<void> | undefined;

  constructor(options: UpdaterOptions) {
    this.#o = options;
  }

  /** Finds out where the board stands; an interrupted update goes on. */
  async start(): Promise<void> {
    const { world, board, state } = this.#o;
    this.#state = readSaved(await world.disk.read(state).catch(() => undefined));
    const facts = await board.facts();
    this.#facts = facts.ok ? facts.value : undefined;
    if (facts.ok) void board.reached('agent');
    if (!facts.ok && facts.fault.code !== 'update_not_possible')
      world.log.warn('updater.no-board', { why: facts.fault.detail });
    const { step } = this.#state;
    const other = step.at === 'rebooting' || step.at === 'proving' ? step.before : undefined;
    const fallen =
      other !== undefined && facts.ok && facts.value.slot === other.slot && facts.value.boot !== other.boot;
    const wreck = fallen ? await board.wreck(other.slot === 'A' ? 'B' : 'A', other.boot) : undefined;
    void this.#feed({
      on: 'booted',
      facts: this.#facts,
      paired: this.#o.paired(),
      ...(wreck === undefined ? {} : { wreck }),
    });
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#turn++;
    this.#timer?.cancel();
    await this.#order;
  }

  /** Hears of sessions with the cloud. */
  attach(agent: Agent): void {
    agent.onState(({ at }) => {
      if (at !== 'ready') return;
      if (this.#facts !== undefined) void this.#o.board.reached('session');
      void this.#flush();
      void this.#feed({ on: 'session' });
    });
  }

  /** Begins an update; the same job again tells how it fares. */
  async begin(request: VerbRequest<'update.start.local'>): Promise<Result<VerbReply<'update.start.local'>, Fault>> {
    const { job: id, release, url, file, ...wanted } = request;
    const sources = [
      ...(release === undefined ? [] : [{ kind: 'release', release } as const]),
      ...(url === undefined ? [] : [{ kind: 'url', url } as const]),
      ...(file === undefined ? [] : [{ kind: 'file', file } as const]),
    ];
    const [source] = sources;
    if (source === undefined || sources.length > 1)
      return err(fault('bad_request', 'Give one of release, url and file.'));
    const known = this.#state.history.find((one) => one.job === id);
    if (known !== undefined) return ok({ state: 'idle', report: known });
    const { step } = this.#state;
    if (step.at !== 'idle') return step.job?.id === id ? ok({ state: step.at }) : err(fault('update_busy'));
    const facts = await this.#o.board.facts();
    if (!facts.ok) return err(fault(facts.fault.code, facts.fault.detail));
    await this.#feed({ on: 'start', job: { id, source, ...wanted } });
    return ok({ state: this.#state.step.at });
  }

  async halt({ job }: VerbRequest<'update.stop.local'>): Promise<Result<VerbReply<'update.stop.local'>, Fault>> {
    const before = this.#state.step;
    await this.#feed({ on: 'stop', job });
    return ok({ stopped: before.at !== 'idle' && this.#state.step.at === 'idle' });
  }

  async status(): Promise<VerbReply<'gateway.update.local'>> {
    const { world, board } = this.#o;
    const facts = await board.facts();
    const { step, floor, history } = this.#state;
    const job = step.at === 'idle' ? undefined : step.job;
    return {
      possible: facts.ok,
      ...(facts.ok
        ? { board: facts.value.board, version: facts.value.version, slot: facts.value.slot, good: facts.value.good }
        : {}),
      ...(floor === undefined ? {} : { floor }),
      state: step.at,
      ...(job === undefined ? {} : { job: job.id }),
      ...(job?.version === undefined ? {} : { wanted: job.version }),
      ...(job?.size === undefined ? {} : { size: job.size, octets: Math.min(this.#octets, job.size) }),
      found: facts.ok ? await sticks(world.disk) : [],
      history: [...history],
    };
  }

  /** Inputs one after the other, each with all that it brings about before the next. */
  #feed(input: Input | typeof TICK): Promise<void> {
    this.#order = this.#order.then(async () => {
      if (this.#stopped) return;
      const { clock, log } = this.#o.world;
      const before = this.#state.step;
      const out: Output[] = [];
      updater.step(this.#state, input, clock.mono(), out);
      const { step } = this.#state;
      if (step.at !== before.at) {
        this.#turn++;
        log.info('updater.state', { at: step.at, job: step.at === 'idle' ? undefined : step.job?.id });
      }
      this.#arm();
      try {
        for (const one of out) await this.#perform(one);
      } catch (error) {
        // What could not be kept is not done either; the step's own patience ends it.
        log.error('updater.not-kept', { error: String(error) });
      }
    });
    return this.#order;
  }

  #arm(): void {
    const { clock } = this.#o.world;
    this.#timer?.cancel();
    const due = updater.due(this.#state);
    this.#timer = due === NEVER ? undefined : clock.at(due, () => void this.#feed(TICK));
  }

  async #perform(output: Output): Promise<void> {
    const { board } = this.#o;
    switch (output.do) {
      case 'save':
        return this.#save();
      case 'tell':
        this.#tell(output.report);
        return;
      case 'clean':
        return this.#o.world.disk.remove(this.#path(output.job));
      case 'check':
        return this.#later(async () => this.#check(output.job));
      case 'fetch':
        return this.#later(async () => this.#fetch(output.job));
      case 'inspect':
        return this.#later(async () => {
          const seen = await board.inspect(this.#path(output.job));
          return seen.ok ? { on: 'inspected', bundle: seen.value } : { on: 'refused', why: seen.fault };
        });
      case 'install':
        return this.#later(async () => {
          const facts = await board.facts();
          const done = facts.ok ? await board.install(this.#path(output.job), output.bundle) : facts;
          if (!done.ok || !facts.ok) return { on: 'refused', why: done.ok ? { code: 'internal' } : done.fault };
          const { slot, version, boot } = facts.value;
          return { on: 'installed', before: { slot, version, boot } };
        });
      case 'reboot':
        return this.#later(async () => {
          await this.#quiet();
          return refusalOf(await board.reboot());
        });
      case 'test':
        return this.#later(async () => ({ on: 'tested', health: await this.#o.test() }));
      case 'mark-good':
        return this.#later(async () => refusalOf(await board.markGood()) ?? { on: 'marked' });
      case 'give-up':
        return this.#later(async () => refusalOf(await board.markBad()) ?? refusalOf(await board.reboot()));
    }
  }

  /** Runs what takes its time beside the inputs; what it brings counts only while its step lasts. */
  #later(work: () => Promise<Input | undefined>): void {
    const turn = this.#turn;
    const { log } = this.#o.world;
    const done = async () => {
      const input = await work().catch((error: unknown): Input => {
        log.error('updater.failed', { error: String(error) });
        return { on: 'refused', why: { code: 'update_install_failed', detail: String(error).slice(0, 200) } };
      });
      if (input === undefined || turn !== this.#turn) return;
      await this.#feed(input);
      // A session may have been there all the time.
      if (input.on === 'tested') this.#session();
    };
    void done();
  }

  #session(): void {
    if (this.#o.agent()?.status.at === 'ready') void this.#feed({ on: 'session' });
  }

  async #save(): Promise<void> {
    const { world, state } = this.#o;
    const at = Math.max(1, Math.floor(world.clock.wall()));
    const dated = (report: Report): Report => (report.at === 0 ? { ...report, at } : report);
    this.#state.history = this.#state.history.map(dated);
    this.#state.untold = this.#state.untold.map(dated);
    await world.disk.write(state, utf8(writeSaved(this.#state)));
    void this.#flush();
    if (this.#state.step.at === 'proving') this.#session();
  }

  async #check(job: Job): Promise<Input> {
    const { world, board, folder } = this.#o;
    const path = this.#path(job);
    const source = job.source.kind === 'file' ? job.source.file : path;
    for (const name of await world.disk.list(folder))
      if (`${folder}/${name}` !== path && `${folder}/${name}` !== source) await world.disk.remove(`${folder}/${name}`);
    const facts = await board.facts();
    if (!facts.ok) return { on: 'refused', why: facts.fault };
    this.#octets = await sizeOf(world, path);
    // The folder may not be there yet; its own will do.
    const room = (await world.disk.room(folder)) ?? (await world.disk.room(folder.replace(/\/[^/]*$/, '')));
    return { on: 'checked', facts: facts.value, free: room?.free, here: this.#octets };
  }

  async #fetch(job: Job): Promise<Input> {
    const { world } = this.#o;
    const turn = this.#turn;
    let told = world.clock.mono();
    const options: FetchOptions = {
      world,
      path: this.#path(job),
      wanted: () => turn === this.#turn,
      progress: (octets) => {
        this.#octets = octets;
        const now = world.clock.mono();
        if (now - told < TELL_EVERY) return;
        told = now;
        this.#tell({
          job: job.id,
          state: 'downloading',
          ...(job.version === undefined ? {} : { version: job.version }),
        });
      },
      ...(job.size === undefined ? {} : { size: job.size }),
    };
    const done = await this.#bring(job, options);
    if (done.ok) return { on: 'fetched' };
    const { why, code } = done.fault;
    return { on: 'fetch-failed', why, ...(code === undefined ? {} : { code }) };
  }

  async #bring({ source }: Job, options: FetchOptions): Promise<Result<void, FetchFault>> {
    if (source.kind === 'file') return copy(options, source.file);
    if (source.kind === 'url') return download(options, { url: source.url });
    for (;;) {
      const place = await this.#place(source.release);
      if (!place.ok) return place;
      const octets = this.#octets;
      const done = await download(options, place.value);
      // A ticket that ran out in the middle is replaced; one that never opened anything is not.
      if (done.ok || done.fault.expired !== true || this.#octets === octets) return done;
    }
  }

  /** Where the cloud says that a release lies. */
  async #place(release: string): Promise<Result<Place, FetchFault>> {
    const { agent, cloud } = this.#o;
    const asked = await agent()?.request('release.ticket', { release });
    if (asked === undefined || cloud === undefined) return err({ why: 'there is no bond with the cloud' });
    if (!asked.ok) {
      const why = asked.fault.detail ?? asked.fault.code;
      return err({ why, ...(asked.fault.code === 'release_not_ready' ? { code: 'update_not_found' as const } : {}) });
    }
    const { url, path } = asked.value;
    if (url !== undefined) return ok({ url });
    return ok({ url: `${cloud.origin}${path ?? ''}`, ...(cloud.trust === 'pin' ? { pin: cloud.pin } : {}) });
  }

  /** Waits until no call is up, for a while. */
  async #quiet(): Promise<void> {
    const { world, busy } = this.#o;
    const most = world.clock.mono() + CALLS_MOST;
    while (!this.#stopped && busy() && world.clock.mono() < most) await sleep(world.clock, CALLS_EVERY);
  }

  #path(job: Job): string {
    return `${this.#o.folder}/${job.id}.raucb`;
  }

  /** A word on the way: nobody misses one, and only the latest counts. */
  #tell(report: Omit<Report, 'at'>): void {
    const at = Math.max(1, Math.floor(this.#o.world.clock.wall()));
    void this.#o.agent()?.report('update.report', { ...report, at }, { order: 'update', latest: true });
  }

  /** Outcomes go into the outbox, which outlives us; only then are they told. */
  #flush(): Promise<void> {
    this.#flushing ??= this.#told().finally(() => {
      this.#flushing = undefined;
    });
    return this.#flushing;
  }

  async #told(): Promise<void> {
    for (let one = this.#state.untold[0]; one !== undefined && !this.#stopped; one = this.#state.untold[0]) {
      const kept = await this.#o.agent()?.report('update.report', one, { order: 'update' });
      if (kept === undefined || (!kept.ok && kept.fault.code === 'timeout')) return;
      this.#state.untold = this.#state.untold.slice(1);
      await this.#o.world.disk.write(this.#o.state, utf8(writeSaved(this.#state)));
    }
  }
}

function refusalOf(done: Result<void, Refusal>): Input | undefined {
  return done.ok ? undefined : { on: 'refused', why: done.fault };
}
