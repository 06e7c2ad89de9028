/**
 * Several softswitch processes in a virtual world: the same code on both ends of their links, only that a link is a queue and the end of a
 * process is that nothing of it has any effect any more.
 */
import type { LinkMessage } from '#cloud/bus/fleet-words.ts';
import type { Pipe } from '#cloud/bus/link.ts';
import type { Part } from '#cloud/bus/part.ts';
import { FleetMember } from '#cloud/farm/softswitch/fleet/member.ts';
import { Hub } from '#cloud/softswitch-process/hub.ts';
import { type Child, Places } from '#cloud/softswitch-process/places.ts';
import type { Store } from '#cloud/store/store.ts';
import type { World } from '#shared/kernel/world.ts';
import { mortal } from './mortal.ts';
import { Seeded, streamOf } from './random.ts';
import { tracked } from './tracked.ts';

const START_WITHIN = 30_000;
const TOKEN = 'virtual';

interface Running {
  kill(): void;
}

export interface VirtualFleetOptions {
  readonly count: number;
  readonly seed: number;
}

/** The part `softswitch` as so many processes, each of which can be killed. */
export class VirtualFleet {
  readonly part: Part;
  readonly #o: VirtualFleetOptions;
  readonly #running = new Map<number, Running>();
  /** Places at which nothing can start. */
  readonly #barred = new Set<number>();
  #starts = 0;
  /** Milliseconds that a word takes over a link, as over a real one; 0: it comes before anything else happens. */
  delay = 0;
  /** Messages and octets (as JSON) that went over all links, by what they are. */
  readonly traffic = new Map<string, { messages: number; octets: number }>();

  constructor(options: VirtualFleetOptions) {
    this.#o = options;
    this.part = {
      name: 'softswitch',
      start: async (context) => {
        const hub: Hub = new Hub({
          ...{ context, count: options.count, database: ':memory:' },
          token: () => TOKEN,
          kill: (_pid, index) => this.kill(index),
          gone: () => {},
        });
        const places = new Places({
          world: context.world,
          start: (index) => this.#start(index, context, hub),
          lives: () => false,
          taken: (index) => hub.pool.at(index) !== undefined,
          later: (ms, run) => void hub.later(ms, run),
        });
        await hub.up(() => {
          for (const index of hub.places) places.begin(index);
        }, START_WITHIN);
        return {
          health: () => hub.pool.health(),
          stop: async () => {
            places.stop();
            hub.stop();
            const { clock } = context.world;
            while (this.#running.size > 0) {
              await new Promise<void>((resolve) => void clock.at(clock.mono() + 20, resolve));
            }
          },
        };
      },
    };
  }

  /** Ends a process in the middle of whatever it does. */
  kill(index: number): void {
    this.#running.get(index)?.kill();
  }

  /** Keeps a process from being started again, or lets it. */
  bar(index: number, barred: boolean): void {
    if (barred) this.#barred.add(index);
    else this.#barred.delete(index);
  }

  lives(index: number): boolean {
    return this.#running.has(index);
  }

  #start(index: number, { world: host, store }: { world: World; store: Store }, hub: Hub): Child {
    let ended: Parameters<Child['onEnd']>[0] = () => {};
    const later = (run: () => void) => void host.clock.at(host.clock.mono(), run);
    if (this.#barred.has(index)) {
      later(() => ended({ error: 'it may not start' }));
      return { kill: () => {}, onEnd: (handler) => (ended = handler) };
    }
    const random = new Seeded(this.#o.seed, streamOf(`softswitch#${++this.#starts}`));
    const links = new Set<() => void>();
    const wires = tracked({ ...host, random });
    const { world, kill } = mortal(wires.world, () => {
      wires.close();
      for (const cut of links) cut();
    });
    let code = 0;
    const end = (why: Parameters<typeof ended>[0]) => {
      if (!this.#running.delete(index)) return;
      kill();
      later(() => ended(why));
    };
    const member = new FleetMember({
      ...{ world, index, pid: this.#starts, token: TOKEN },
      dial: () => {
        const arrive = (run: () => void) => {
          if (this.delay === 0) queueMicrotask(run);
          else host.clock.at(host.clock.mono() + this.delay, run);
        };
        const [mine, theirs, cut] = link((message) => this.#count(message), arrive);
        links.add(cut);
        hub.opened(theirs, cut);
        return mine;
      },
      reader: () => ({ all: (sql, params) => store.all(sql, params), close: () => {} }),
      exit: (with_) => {
        code = with_;
        end({ code });
      },
    });
    this.#running.set(index, { kill: () => end({ signal: 'SIGKILL' }) });
    member.start();
    return {
      kill: (signal) => (signal === 'SIGTERM' ? void member.end(0) : end({ signal })),
      onEnd: (handler) => {
        ended = handler;
      },
    };
  }

  #count(text: string): void {
    const message = JSON.parse(text) as LinkMessage;
    const name = `${message.on}${'verb' in message ? ` ${message.verb}` : ''}${'event' in message ? ` ${message.event}` : ''}`;
    const known = this.traffic.get(name) ?? { messages: 0, octets: 0 };
    this.traffic.set(name, { messages: known.messages + 1, octets: known.octets + text.length });
  }
}

/** Two ends of a link over which plain data goes in order, and what cuts it. */
function link(
  seen: (text: string) => void,
  arrive: (run: () => void) => void,
): [Pipe<LinkMessage>, Pipe<LinkMessage>, () => void] {
  let open = true;
  const ends: { handlers?: Parameters<Pipe<LinkMessage>['handle']>[0]; early: string[] }[] = [
    { early: [] },
    { early: [] },
  ];
  const cut = (): void => {
    if (!open) return;
    open = false;
    for (const { handlers } of ends) queueMicrotask(() => handlers?.closed());
  };
  const pipe = (own: 0 | 1): Pipe<LinkMessage> => {
    const [mine, theirs] = [ends[own], ends[1 - own]];
    if (mine === undefined || theirs === undefined) throw new Error('a link has two ends');
    return {
      waiting: 0,
      send(message) {
        if (!open) return;
        const text = JSON.stringify(message);
        seen(text);
        arrive(() => {
          if (!open) return;
          if (theirs.handlers === undefined) theirs.early.push(text);
          else theirs.handlers.message(JSON.parse(text) as LinkMessage);
        });
      },
      close: () => queueMicrotask(cut),
      handle(handlers) {
        mine.handlers = handlers;
        for (const text of mine.early.splice(0)) handlers.message(JSON.parse(text) as LinkMessage);
        if (!open) handlers.closed();
      },
    };
  };
  return [pipe(0), pipe(1), cut];
}
