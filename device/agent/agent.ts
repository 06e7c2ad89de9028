/**
 * The gateway's side of the bond with the cloud: one link, an outbox that survives, the documents that the cloud desires and
 * the commands that it gives. Everything else on the gateway talks to the cloud through this.
 */
import { err, type Result } from '#shared/kernel/result.ts';
import type { World } from '#shared/kernel/world.ts';
import { misfit } from '#shared/protocol/check.ts';
import type {
  AppletsDocument,
  DocumentName,
  FeaturesDocument,
  SystemDocument,
  VoiceDocument,
} from '#shared/protocol/documents.ts';
import { type Fault, fault } from '#shared/protocol/fault.ts';
import { downChannels, gatewayDown, gatewayFilter, gatewayUp } from '#shared/protocol/topics.ts';
import {
  type VerbName,
  type VerbReply,
  type VerbRequest,
  type VerbsOf,
  verbEntry,
} from '#shared/protocol/verbs/index.ts';
import { type OutboxLoad, Reporter, type ReportOptions } from './reporter.ts';
import { type LinkStatus, Session } from './session.ts';
import { type Apply, Twin } from './twin.ts';

/** A gateway's certificate of the operator's authority, and its key. PEM. */
export interface GatewayIdentity {
  readonly gateway: string;
  readonly certificate: string;
  readonly key: string;
}

export interface AgentOptions {
  readonly world: World;
  readonly identity: GatewayIdentity;
  readonly mqtt: { readonly host: string; readonly port: number };
  /** PEM of the operator's authority. */
  readonly ca: string;
  /** The name that the cloud's certificate must hold; default: the host. */
  readonly serverName?: string;
  /** Folder for outbox and documents. */
  readonly state: string;
  readonly profile: 'residential-gateway' | 'personal-computer' | 'ip-appliance';
  readonly version: string;
  /** Seconds between signs of life; default 30. */
  readonly keepalive?: number;
}

export type CommandVerb = VerbsOf<'user-agent'>;
export type CommandHandler<V extends CommandVerb> = (body: VerbRequest<V>) => Promise<Result<VerbReply<V>, Fault>>;
interface DocumentTypes {
  voice: VoiceDocument;
  system: SystemDocument;
  applets: AppletsDocument;
  features: FeaturesDocument;
}

export interface Agent {
  /** Applies the last good documents, then connects; resolves before the cloud is reached. */
  start(): Promise<void>;
  /** What waits in the outbox stays on the disk. */
  stop(): Promise<void>;
  readonly status: LinkStatus;
  /** Asks the cloud; resolves always. `timeout` in ms, default 10 s; while there is no connection the request waits for one. */
  request<V extends VerbName>(verb: V, body: VerbRequest<V>, timeout?: number): Promise<Result<VerbReply<V>, Fault>>;
  /** Puts an event into the outbox; resolves once it would survive a power cut. It is told at least once, then exactly once by its id. */
  report<V extends VerbName>(verb: V, body: VerbRequest<V>, options?: ReportOptions): Promise<Result<void, Fault>>;
  /** Registers the one applier of a document; before `start`. */
  onDesired<D extends DocumentName>(doc: D, apply: Apply<DocumentTypes[D]>): void;
  /** Registers the one handler of a command; before `start`. */
  onCommand<V extends CommandVerb>(verb: V, handler: CommandHandler<V>): void;
  /** `ready` means greeted; `waiting` carries why the last connection ended. */
  onState(handler: (status: LinkStatus) => void): () => void;
  /** Connects anew with another certificate of the same gateway. */
  changeIdentity(identity: GatewayIdentity): void;
  /** What a technician wants to know of the bond. */
  insight(): AgentInsight;
}

export interface AgentInsight {
  readonly link: LinkStatus;
  /** Monotonic ms at which the link came into its state. */
  readonly since: number;
  /** Monotonic ms of the latest times that the link became ready, oldest first. */
  readonly greeted: readonly number[];
  /** The cloud's wall clock minus ours, ms. */
  readonly offset: number;
  /** Why the last connection ended, or the last try failed. */
  readonly lastEnd?: string;
  readonly outbox: OutboxLoad;
  /** Versions of the documents in force; why the newest version of others was refused. */
  readonly applied: Readonly<Record<string, number>>;
  readonly refused: Readonly<Record<string, string>>;
}

const REQUEST_TIMEOUT = 10_000;
const CONNECT_TIMEOUT = 15_000;
const KEEPALIVE = 30;
/** Greetings that are remembered. */
const GREETED_LIMIT = 32;

export function createAgent(options: AgentOptions): Agent {
  return new UserAgent(options);
}

class UserAgent implements Agent {
  readonly #options: AgentOptions;
  readonly #session: Session;
  readonly #reporter: Reporter;
  readonly #twin: Twin;
  readonly #handlers = new Map<string, (body: never) => Promise<Result<unknown, Fault>>>();
  readonly #listeners = new Set<(status: LinkStatus) => void>();
  readonly #greeted: number[] = [];
  #since = 0;
  #lastEnd: string | undefined;
  #identity: GatewayIdentity;

  constructor(options: AgentOptions) {
    this.#options = options;
    this.#identity = options.identity;
    const { world } = options;
    const { gateway } = options.identity;
    this.#session = new Session({
      world,
      target: () => this.#target(),
      topics: {
        up: (channel) => gatewayUp(gateway, channel),
        down: (topic) => downChannels.find((channel) => gatewayDown(gateway, channel) === topic),
      },
      hello: async () => ({
        version: options.version,
        profile: options.profile,
        applied: this.#twin.applied,
        outbox: this.#reporter.range,
      }),
      obey: (verb, body) => this.#obey(verb, body),
      desired: (body) => this.#twin.receive(body),
      changed: (status) => this.#changed(status),
    });
    this.#reporter = new Reporter({
      world,
      folder: `${options.state}/outbox`,
      ready: () => this.#session.status.at === 'ready',
      cloudTime: () => this.#session.cloudTime,
      send: ({ verb, body, id }, timeout) => {
        const channel = verb === 'gateway.reported' ? 'reported' : 'event';
        return this.#session.ask(channel, verb, body, timeout, id);
      },
    });
    this.#twin = new Twin({
      disk: world.disk,
      folder: options.state,
      log: world.log,
      report: async (body) => {
        await this.report('gateway.reported', body, { order: `applied ${body.doc}`, latest: true });
      },
    });
  }

  get status(): LinkStatus {
    return this.#session.status;
  }

  async start(): Promise<void> {
    await this.#reporter.start();
    await this.#twin.start();
    this.#session.start();
  }

  async stop(): Promise<void> {
    this.#session.stop();
    await this.#twin.settled();
    await this.#reporter.stop();
  }

  async request<V extends VerbName>(verb: V, body: VerbRequest<V>, timeout = REQUEST_TIMEOUT) {
    return (await this.#session.ask('req', verb, body, timeout)) as Result<VerbReply<V>, Fault>;
  }

  report<V extends VerbName>(verb: V, body: VerbRequest<V>, options: ReportOptions = {}) {
    return this.#reporter.add(verb, body, options);
  }

  onDesired<D extends DocumentName>(doc: D, apply: Apply<DocumentTypes[D]>): void {
    this.#twin.on(doc, apply as Apply<never>);
  }

  onCommand<V extends CommandVerb>(verb: V, handler: CommandHandler<V>): void {
    this.#handlers.set(verb, handler as (body: never) => Promise<Result<unknown, Fault>>);
  }

  onState(handler: (status: LinkStatus) => void): () => void {
    this.#listeners.add(handler);
    return () => this.#listeners.delete(handler);
  }

  changeIdentity(identity: GatewayIdentity): void {
    if (identity.gateway !== this.#identity.gateway) throw new Error('another gateway needs another agent');
    this.#identity = identity;
    this.#session.reconnect();
  }

  insight(): AgentInsight {
    return {
      link: this.#session.status,
      since: this.#since,
      greeted: [...this.#greeted],
      offset: this.#session.offset,
      ...(this.#lastEnd === undefined ? {} : { lastEnd: this.#lastEnd }),
      outbox: this.#reporter.load,
      applied: this.#twin.applied,
      refused: this.#twin.refused,
    };
  }

  #target() {
    const { mqtt, ca, serverName, keepalive = KEEPALIVE } = this.#options;
    const { gateway, certificate, key } = this.#identity;
    return {
      ...mqtt,
      tls: { ca, certificate, key, ...(serverName === undefined ? {} : { serverName }) },
      clientId: gateway,
      filter: gatewayFilter(gateway),
      keepalive,
      timeout: CONNECT_TIMEOUT,
    };
  }

  #changed(status: LinkStatus): void {
    const { at, epoch, why } = status;
    this.#options.world.log.info('agent.state', { at, epoch, why });
    this.#since = this.#options.world.clock.mono();
    if (why !== undefined) this.#lastEnd = why;
    if (at === 'ready' && this.#greeted.push(this.#since) > GREETED_LIMIT) this.#greeted.shift();
    if (at === 'ready') this.#reporter.hurry();
    for (const listener of this.#listeners) listener(status);
  }

  async #obey(verb: string, body: unknown): Promise<Result<unknown, Fault>> {
    const handler = this.#handlers.get(verb);
    const entry = verbEntry(verb);
    if (handler === undefined || entry === undefined) {
      return err(fault('gateway_refused', `This gateway does not know ${verb}.`));
    }
    const wrong = misfit(entry.request, body);
    if (wrong !== undefined) return err(wrong);
    try {
      return await handler(body as never);
    } catch (error) {
      this.#options.world.log.error('agent.command-failed', { verb, error: String(error) });
      return err(fault('internal', 'The gateway made an error.'));
    }
  }
}
