/**
 * Pairing on the world: runs the machine (`machine.ts`), keeps its state and the permanent key on the disk, holds the
 * applicant's link while it is wanted and starts the agent once there is an identity.
 *
 * On disk, in the gateway's state folder: `device-key.json`, `pairing.json`, `cloud.json` (where the cloud was last found),
 * `claim.json` (a claim that the first boot took from the boot partition; gone once it is used), and
 * the agent's own folder `agent`, which is emptied when a pairing is undone.
 */
import { utf8 } from '#shared/kernel/bytes.ts';
import { TICK, type Tick } from '#shared/kernel/machine.ts';
import { err, type Result } from '#shared/kernel/result.ts';
import type { Timer, World } from '#shared/kernel/world.ts';
import type { SystemDocument } from '#shared/protocol/documents.ts';
import { CODE_RANDOM, makeCode } from '#shared/protocol/pairing.ts';
import type { VerbRequest } from '#shared/protocol/verbs/index.ts';
import { type ApplicantLink, createApplicantLink } from '../agent/applicant.ts';
import type { LinkStatus } from '../agent/session.ts';
import { AgentHolder, type PairedAgent } from './agent-holder.ts';
import { CloudFinder } from './cloud-finder.ts';
import { type DeviceKey, deviceKey } from './device-key.ts';
import type { Cloud } from './discovery.ts';
import { pairing } from './machine.ts';
import { putQuestion } from './questions.ts';
import { Renewal } from './renewal.ts';
import { readClaim, readSaved } from './saved.ts';
import {
  type Identity,
  newPairing,
  type PairingInput,
  type PairingOutput,
  type PairingState,
  type Saved,
} from './states.ts';
import { type PairingStatus, statusOf } from './status.ts';

export interface PairingOptions {
  readonly world: World;
  /** As given to `--cloud`. */
  readonly cloudUrl: string;
  /** The gateway's state folder. The agent's own is `agent` in it. */
  readonly state: string;
  readonly profile: VerbRequest<'pairing.announce'>['profile'];
  readonly version: string;
  /** Makes the agent of an identity, with every handler but that of the document `system` registered; not started. */
  agent(identity: Identity, cloud: Cloud): PairedAgent;
}

export interface Pairing {
  /** Resolves once key and state are read; finding the cloud goes on by itself. Rejects with words for the operator. */
  start(): Promise<void>;
  stop(): Promise<void>;
  status(): PairingStatus;
  /** Who this gateway is; undefined until it is paired. */
  identity(): Identity | undefined;
  /** Where the cloud was last found. */
  cloud(): Cloud | undefined;
  /** Called after every change of the status. */
  onChange(listener: (status: PairingStatus) => void): void;
  /** Renews the certificate now; the fault is a word for the log. */
  renew(): Promise<Result<Identity, string>>;
}

/** Milliseconds between tries to write to a disk that does not take it. */
const DISK_AGAIN = 2_000;

/** Throws where `cloudUrl` cannot be taken, with words for the person who gave it. */
export function createPairing(options: PairingOptions): Pairing {
  return new Driver(options);
}

class Driver implements Pairing {
  readonly #options: PairingOptions;
  readonly #finder: CloudFinder;
  readonly #holder: AgentHolder;
  readonly #renewal: Renewal;
  readonly #listeners: ((status: PairingStatus) => void)[] = [];
  #state: PairingState = newPairing({ at: 'unpaired' });
  #key: DeviceKey | undefined;
  #code: string | undefined;
  #claim: string | undefined;
  #homeName: string | undefined;
  #link: ApplicantLink | undefined;
  /** Settles when all inputs so far are dealt with. */
  #order: Promise<void> = Promise.resolve();
  #timer: Timer | undefined;
  #running = false;
  #stopped = false;

  constructor(options: PairingOptions) {
    const { world, state, cloudUrl } = options;
    this.#options = options;
    this.#finder = new CloudFinder(world, cloudUrl, `${state}/cloud.json`, () => this.#changed());
    this.#holder = new AgentHolder({
      world,
      state: (at) => this.#agentState(at),
      released: () => void this.#dispatch({ on: 'released' }),
      system: (document) => this.#system(document),
    });
    this.#renewal = new Renewal({
      world,
      identity: () => (this.#state.connected ? this.identity() : undefined),
      request: (request) => this.#holder.request('certificate.renew', { request }),
      prove: (identity) => this.#holder.prove(identity),
      renewed: (identity) => this.#dispatch({ on: 'renewed', identity }),
    });
  }

  async start(): Promise<void> {
    const { world, state } = this.#options;
    this.#key = await deviceKey(world, `${state}/device-key.json`);
    this.#claim = readClaim(await world.disk.read(`${state}/claim.json`));
    this.#state = newPairing(readSaved(await world.disk.read(`${state}/pairing.json`)), this.#claim !== undefined);
    this.#renewal.start();
    void this.#finder.find((cloud) => this.#found(cloud));
  }

  async stop(): Promise<void> {
    this.#finder.stop();
    this.#renewal.stop();
    await this.#holder.finish();
    this.#stopped = true;
    this.#timer?.cancel();
    await this.#order;
    this.#link?.stop();
    await this.#holder.finish();
  }

  identity(): Identity | undefined {
    const { saved } = this.#state;
    return saved.at === 'paired' ? saved.identity : undefined;
  }

  status(): PairingStatus {
    return statusOf({
      state: this.#state,
      key: this.#key,
      code: this.#code,
      portal: this.#finder.cloud?.portal,
      problem: this.#finder.problem,
      homeName: this.#homeName,
    });
  }

  cloud(): Cloud | undefined {
    return this.#finder.cloud;
  }

  onChange(listener: (status: PairingStatus) => void): void {
    this.#listeners.push(listener);
  }

  async renew(): Promise<Result<Identity, string>> {
    const identity = this.identity();
    return identity === undefined ? err('this gateway is not paired') : this.#renewal.renew(identity);
  }

  #changed(): void {
    if (this.#stopped) return;
    const status = this.status();
    for (const listener of this.#listeners) listener(status);
  }

  /** The cloud was found, or found elsewhere than before: what is connected to the old place moves. */
  #found(cloud: Cloud): void {
    if (!this.#running) {
      this.#running = true;
      void this.#dispatch({ on: 'start', wall: this.#options.world.clock.wall() });
      return;
    }
    this.#order = this.#order.then(async () => {
      if (this.#stopped) return;
      if (this.#link !== undefined) {
        this.#link.stop();
        this.#openLink(cloud);
      }
      const { saved } = this.#state;
      if (!this.#holder.present || !('identity' in saved)) return;
      await this.#holder.stop();
      this.#holder.start(this.#options.agent(saved.identity, cloud));
    });
  }

  /** One input at a time; resolves when what it causes is done. */
  #dispatch(input: PairingInput | Tick): Promise<void> {
    this.#order = this.#order.then(() => this.#step(input));
    return this.#order;
  }

  async #step(input: PairingInput | Tick): Promise<void> {
    if (this.#stopped) return;
    const { clock } = this.#options.world;
    const out: PairingOutput[] = [];
    pairing.step(this.#state, input, clock.mono(), out);
    for (const output of out) await this.#perform(output);
    this.#timer?.cancel();
    this.#timer = clock.at(pairing.due(this.#state), () => void this.#dispatch(TICK));
    this.#changed();
  }

  async #perform(output: PairingOutput): Promise<void> {
    const { world, state, agent } = this.#options;
    const { cloud } = this.#finder;
    switch (output.do) {
      case 'save':
        await this.#save(output.saved);
        return;
      case 'new-code':
        this.#code = newCode(world);
        return;
      case 'drop-claim':
        this.#claim = undefined;
        await this.#dropClaim();
        return;
      case 'open-link':
        this.#openLink(cloud);
        return;
      case 'close-link':
        this.#link?.stop();
        this.#link = undefined;
        return;
      case 'ask':
        void this.#ask(output).then((answer) => this.#dispatch(answer));
        return;
      case 'start-agent':
        if (cloud !== undefined) this.#holder.start(agent(output.identity, cloud));
        return;
      case 'stop-agent':
        await this.#holder.stop();
        return;
      case 'forget':
        this.#homeName = undefined;
        await world.disk.remove(`${state}/agent`);
        return;
    }
  }

  /** What follows must not happen before this is on the disk: a disk that is full or broken holds everything up until it is not. */
  async #save(saved: Saved): Promise<void> {
    const { world, state } = this.#options;
    world.log.info('pairing.state', { at: saved.at, cause: saved.at === 'unpaired' ? saved.cause : undefined });
    while (!this.#stopped) {
      try {
        await world.disk.write(`${state}/pairing.json`, utf8(JSON.stringify(saved)));
        return;
      } catch (error) {
        world.log.error('pairing.disk-failed', { error: String(error) });
        await new Promise<void>((resolve) => world.clock.at(world.clock.mono() + DISK_AGAIN, resolve));
      }
    }
  }

  /** A claim that stays on the disk does no harm: it is dropped again at the next start, or refused by the cloud. */
  async #dropClaim(): Promise<void> {
    const { world, state } = this.#options;
    try {
      await world.disk.remove(`${state}/claim.json`);
    } catch (error) {
      world.log.error('pairing.disk-failed', { error: String(error) });
    }
  }

  #openLink(cloud: Cloud | undefined): void {
    const { world } = this.#options;
    const key = this.#key;
    if (cloud === undefined || key === undefined) return;
    const { keyHash, certificate, privateKey } = key;
    const { mqtt, authority: ca } = cloud;
    this.#link = createApplicantLink({ world, keyHash, certificate, key: privateKey, mqtt, ca });
    this.#link.onClaimed(({ claimed, cause }) => {
      const wall = world.clock.wall();
      void this.#dispatch({ on: 'claimed', claimed, wall, ...(cause === undefined ? {} : { cause }) });
    });
    this.#link.onState(({ at }) => this.#linkState(at));
    this.#link.start();
  }

  /** What cannot connect looks whether the cloud has moved. */
  #linkState(at: LinkStatus['at']): void {
    if (at === 'waiting') this.#finder.look((cloud) => this.#found(cloud));
  }

  #agentState(at: LinkStatus['at']): void {
    if (at === 'ready') void this.#dispatch({ on: 'connected' });
    else void this.#dispatch({ on: 'disconnected', fraction: this.#options.world.random.fraction() });
    this.#linkState(at);
  }

  /** Once this has resolved, the document counts as applied: `configuring` is on the disk by then. */
  async #system(document: SystemDocument): Promise<boolean> {
    await this.#dispatch({ on: 'configured' });
    const { saved } = this.#state;
    if (this.#stopped || !('identity' in saved) || saved.at === 'reconnecting') return false;
    this.#homeName = document.homeName;
    this.#changed();
    return true;
  }

  #ask(question: Extract<PairingOutput, { do: 'ask' }>): Promise<PairingInput> {
    const { world, profile, version } = this.#options;
    const announcement = { code: this.#code ?? '', profile, version };
    return putQuestion(question, {
      world,
      link: this.#link,
      agent: this.#holder,
      key: this.#key,
      claim: this.#claim,
      announcement,
    });
  }
}

function newCode(world: Pick<World, 'random'>): string {
  for (;;) {
    const code = makeCode(world.random.bytes(CODE_RANDOM));
    if (code !== undefined) return code;
  }
}
