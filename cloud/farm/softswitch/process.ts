/**
 * Entry of a softswitch in a process of its own. Its one argument is `SoftswitchProcessOptions` as JSON; its settings come over the
 * link. Where the link breaks its calls go on, and it tries for a while to find the main process again.
 */
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { socketPipe } from '#cloud/bus/adapter-pipe.ts';
import type { CloudConfig } from '#cloud/bus/config.ts';
import { FleetEnd } from '#cloud/bus/fleet-end.ts';
import { FLEET_VERSION, type FleetMessage, type LinkMessage } from '#cloud/bus/fleet-words.ts';
import type { Pipe } from '#cloud/bus/link.ts';
import { LinkedBus } from '#cloud/bus/linked.ts';
import type { RunningPart } from '#cloud/bus/part.ts';
import { openReader } from '#cloud/store/adapter-sqlite.ts';
import { LinkedStore } from '#cloud/store/linked.ts';
import { hostWorld } from '#shared/host/world.ts';
import { hex } from '#shared/kernel/bytes.ts';
import { softswitch } from './server.ts';

export interface SoftswitchProcessOptions {
  /** Path of the main process's socket; beside it lies `.token`. */
  readonly socket: string;
  readonly index: number;
  /** Least level of the log. */
  readonly level: string;
}

/** Milliseconds between two tries to find the main process, and for which they go on. */
const TRY_EVERY = 250;
const ALONE = 20_000;
/** Milliseconds between two words on its health. */
const HEALTH_EVERY = 1_000;
/** Milliseconds that a clean end may take. */
const STOP_WITHIN = 4_000;

const options = JSON.parse(process.argv[2] ?? '{}') as SoftswitchProcessOptions;
const world = hostWorld({ level: options.level as 'warn' });
const { clock, log, random } = world;
const fleet = new FleetEnd(`${options.index}-${hex(random.bytes(4))}`, clock);
const bus = new LinkedBus(world);
/** The next main process of the folder knows it too. */
const token = readFileSync(`${options.socket}.token`, 'utf8').trim();

let store: LinkedStore | undefined;
let running: RunningPart | undefined;
let settings: { readonly asked: string; readonly config: CloudConfig } | undefined;
let pipe: Pipe<LinkMessage> | undefined;
let lostAt = clock.mono();
let ending = false;

async function end(code: number): Promise<void> {
  if (ending) return;
  ending = true;
  clock.at(clock.mono() + STOP_WITHIN, () => process.exit(code));
  await running?.stop().catch((error: unknown) => log.error('softswitch.stop-failed', { error: String(error) }));
  await store?.close();
  pipe?.close();
  process.exit(code);
}

/** The settings that count are those of the first start. */
async function welcomed({
  config,
  database,
  settings: asked,
}: Extract<FleetMessage, { on: 'welcome' }>): Promise<void> {
  if (settings !== undefined && settings.asked !== asked) return end(0);
  settings ??= { asked, config };
  store ??= new LinkedStore(openReader(database), clock);
  const send = (message: LinkMessage) => pipe?.send(message);
  if (pipe !== undefined) bus.attach(pipe);
  store.attach(send);
  fleet.attach(send);
  try {
    running ??= await softswitch.start({ world, bus, store, config: settings.config, fleet });
    const { sipUdp, sipTcp, sips, ws, wss } = settings.config.bound;
    const bound = Object.entries({ sipUdp, sipTcp, sips, ws, wss }).filter(([, at]) => at !== undefined);
    pipe?.send({ on: 'up', bound: Object.fromEntries(bound) });
  } catch (error) {
    pipe?.send({ on: 'failed', why: error instanceof Error ? error.message : String(error) });
    await end(1);
  }
}

function take(message: LinkMessage): void {
  switch (message.on) {
    case 'welcome':
      welcomed(message).catch((error: unknown) => {
        log.error('softswitch.start-failed', { error: String(error) });
        void end(1);
      });
      break;
    case 'stop':
      void end(0);
      break;
    case 'ask':
    case 'answer':
    case 'event':
    case 'parts':
      bus.take(message);
      break;
    case 'written':
      store?.take(message);
      break;
    default:
      fleet.take(message as FleetMessage);
  }
}

function dial(): void {
  const socket = connect(options.socket);
  const made = socketPipe<LinkMessage>(socket, clock);
  pipe = made;
  made.send({
    ...{ on: 'hello', version: FLEET_VERSION, owner: fleet.owner, pid: process.pid },
    token,
  });
  const begun = clock.mono();
  made.handle({
    message: (message) => {
      lostAt = Number.POSITIVE_INFINITY;
      take(message);
    },
    closed: () => {
      bus.detach();
      store?.detach();
      fleet.detach();
      if (ending) return;
      const now = clock.mono();
      if (lostAt === Number.POSITIVE_INFINITY) {
        log.warn('softswitch.link-lost', { owner: fleet.owner });
        lostAt = now;
      }
      if (now - lostAt > ALONE) void end(1);
      else clock.at(Math.max(now, begun + TRY_EVERY), dial);
    },
  });
}

function tell(): void {
  if (running !== undefined) pipe?.send({ on: 'health', health: running.health() });
  clock.at(clock.mono() + HEALTH_EVERY, tell);
}

process.on('SIGTERM', () => void end(0));
// A signal to the whole group of a terminal: the main process decides in which order its parts end.
process.on('SIGINT', () => undefined);
dial();
tell();
