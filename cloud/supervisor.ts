/** Starts the parts in their order, stops them in reverse, and stops and starts single servers of the farm. */
import type { FarmServerName } from '#shared/protocol/servers.ts';
import type { VerbReply } from '#shared/protocol/verbs/index.ts';
import type { Part, PartContext, RunningPart } from './bus/part.ts';

type FarmServer = VerbReply<'farm.stop'>;

interface Slot {
  readonly part: Part;
  running: RunningPart | undefined;
  /** The change under way; changes of one part run one after another. */
  change: Promise<void>;
}

export class Supervisor {
  readonly #slots: Slot[] = [];
  readonly #farm: ReadonlySet<string>;
  readonly #context: PartContext;

  constructor(context: PartContext, farm: readonly Part[]) {
    this.#context = context;
    this.#farm = new Set(farm.map((part) => part.name));
  }

  /** Starts parts one after another; if one cannot start, those before it are stopped and its error is thrown. */
  async start(parts: readonly Part[]): Promise<void> {
    for (const part of parts) {
      const slot: Slot = { part, running: undefined, change: Promise.resolve() };
      this.#slots.push(slot);
      try {
        await this.#begin(slot);
      } catch (error) {
        await this.stop();
        throw error;
      }
    }
  }

  /** Stops every part, last started first. */
  async stop(): Promise<void> {
    for (const slot of [...this.#slots].reverse()) await this.#end(slot);
  }

  list(): FarmServer[] {
    return this.#slots.filter((slot) => this.#farm.has(slot.part.name)).map((slot) => show(slot));
  }

  async stopServer(name: FarmServerName): Promise<FarmServer> {
    const slot = this.#slot(name);
    await this.#end(slot);
    this.#context.bus.publish('farm.changed', { server: name, state: 'stopped' });
    return show(slot);
  }

  async startServer(name: FarmServerName): Promise<FarmServer> {
    const slot = this.#slot(name);
    await this.#begin(slot);
    this.#context.bus.publish('farm.changed', { server: name, state: 'running' });
    return show(slot);
  }

  #slot(name: FarmServerName): Slot {
    const slot = this.#slots.find((candidate) => candidate.part.name === name);
    if (slot === undefined) throw new Error(`${name} is not among the started parts`);
    return slot;
  }

  #begin(slot: Slot): Promise<void> {
    return this.#change(slot, async () => {
      slot.running ??= await slot.part.start(this.#context);
    });
  }

  #end(slot: Slot): Promise<void> {
    return this.#change(slot, async () => {
      const running = slot.running;
      slot.running = undefined;
      await running?.stop();
    });
  }

  #change(slot: Slot, task: () => Promise<void>): Promise<void> {
    const done = slot.change.then(task);
    slot.change = done.catch(() => {});
    return done;
  }
}

function show({ part, running }: Slot): FarmServer {
  const name = part.name as FarmServerName;
  if (running === undefined)
    return { name, state: 'stopped', advice: `Start it again: POST /v1/farm/${name}/start.`, load: 0, legs: 0 };
  const { state, advice, load, legs } = running.health();
  return { name, state, load, legs, ...(advice === undefined ? {} : { advice }) };
}
