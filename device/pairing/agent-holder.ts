/** Holds the agent while there is an identity: starts and stops it, asks over it, and lets another certificate prove itself. */
import { err, ok, type Result } from '#shared/kernel/result.ts';
import type { World } from '#shared/kernel/world.ts';
import type { SystemDocument } from '#shared/protocol/documents.ts';
import { type Fault, fault } from '#shared/protocol/fault.ts';
import type { VerbReply, VerbRequest } from '#shared/protocol/verbs/index.ts';
import type { Agent } from '../agent/agent.ts';
import type { LinkStatus } from '../agent/session.ts';
import type { Identity } from './states.ts';

/** Milliseconds in which a new certificate has to connect. */
export const PROVE_WITHIN = 60_000;

/** What pairing needs of an agent. */
export type PairedAgent = Pick<
  Agent,
  'start' | 'stop' | 'request' | 'changeIdentity' | 'onDesired' | 'onCommand' | 'onState'
>;

export interface AgentHolderOptions {
  readonly world: Pick<World, 'clock' | 'log'>;
  /** The cloud has let this gateway go. */
  released(): void;
  /** Called for each change of the present agent's link. */
  state(at: LinkStatus['at']): void;
  /** Called before the document `system` is reported as applied; false refuses it. */
  system(document: SystemDocument): Promise<boolean>;
}

interface Held {
  readonly agent: PairedAgent;
  readonly starting: Promise<void>;
  /** Settles when it is being stopped: it must not wait then for the step that stops it. */
  readonly gone: PromiseWithResolvers<void>;
}

export class AgentHolder {
  readonly #options: AgentHolderOptions;
  #held: Held | undefined;
  #proved: ((proved: boolean) => void) | undefined;

  constructor(options: AgentHolderOptions) {
    this.#options = options;
  }

  get present(): boolean {
    return this.#held !== undefined;
  }

  /** Starts an agent; does not wait for it, as its first documents wait for the caller's next step. */
  start(agent: PairedAgent): void {
    const gone = Promise.withResolvers<void>();
    agent.onState(({ at }) => {
      if (this.#held?.agent !== agent) return;
      if (at === 'ready') this.#proved?.(true);
      this.#options.state(at);
    });
    agent.onDesired('system', async (document) => {
      const taken = await Promise.race([gone.promise.then(() => false), this.#options.system(document)]);
      return taken ? ok({}) : err('the pairing was undone');
    });
    agent.onCommand('gateway.released', async () => {
      if (this.#held?.agent === agent) this.#options.released();
      return ok({});
    });
    const starting = agent.start().catch((error: unknown) => {
      this.#options.world.log.error('pairing.agent-failed', { error: String(error) });
    });
    this.#held = { agent, gone, starting };
  }

  async stop(): Promise<void> {
    const held = this.#held;
    this.#held = undefined;
    this.#proved?.(false);
    held?.gone.resolve();
    await held?.starting;
    await held?.agent.stop();
  }

  /** Stops the agent at the program's end: what it is applying just now is still applied and kept. */
  async finish(): Promise<void> {
    this.#proved?.(false);
    await this.#held?.starting;
    await this.#held?.agent.stop();
    this.#held = undefined;
  }

  async request<V extends 'pairing.standing' | 'certificate.renew'>(
    verb: V,
    body: VerbRequest<V>,
  ): Promise<Result<VerbReply<V>, Fault>> {
    return this.#held?.agent.request(verb, body) ?? err(fault('timeout'));
  }

  /** Connects with another certificate; true once the cloud has greeted it, false after `PROVE_WITHIN`. */
  prove(identity: Identity): Promise<boolean> {
    const held = this.#held;
    if (held === undefined) return Promise.resolve(false);
    const { clock } = this.#options.world;
    return new Promise((resolve) => {
      const end = (proved: boolean) => {
        timer.cancel();
        this.#proved = undefined;
        resolve(proved);
      };
      const timer = clock.at(clock.mono() + PROVE_WITHIN, () => end(false));
      held.agent.changeIdentity(identity);
      this.#proved = end;
    });
  }
}
