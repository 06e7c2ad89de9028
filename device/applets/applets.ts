/**
 * The gateway's applets: brings what runs into line with the desired document, keeps packages on disk so that applets start without a
 * cloud, hands them events of the house, and reports how they fare.
 */
import { Keeper } from '#shared/applet/keeper.ts';
import type { GuestState } from '#shared/applet/lifecycle.ts';
import type { Sandbox } from '#shared/applet/sandbox.ts';
import { utf8 } from '#shared/kernel/bytes.ts';
import { err, ok, type Result } from '#shared/kernel/result.ts';
import type { Timer, World } from '#shared/kernel/world.ts';
import type { AppPackage } from '#shared/protocol/applet-manifest.ts';
import type { AppletsDocument } from '#shared/protocol/documents.ts';
import { type Fault, fault } from '#shared/protocol/fault.ts';
import { readCloudUrl } from '#shared/protocol/pairing.ts';
import type { VerbReply, VerbRequest } from '#shared/protocol/verbs/index.ts';
import { inRange } from '#shared/protocol/version.ts';
import type { Agent } from '../agent/agent.ts';
import type { DeviceFacts } from '../home-network/inventory.ts';
import { admitPackage, fetchPackage, type Wanted } from './fetch.ts';
import { type AppletScope, callFunction, type GatewaySide } from './functions.ts';
import type { HouseEvent } from './house-event.ts';
import { granted } from './permissions.ts';
import { AppletStorage } from './storage.ts';

export interface AppletsOptions {
  readonly world: World;
  readonly sandbox: Sandbox;
  /** Folder of packages and data. */
  readonly folder: string;
  readonly cloudUrl: string;
  readonly agent: () => Agent | undefined;
  readonly devices: () => readonly DeviceFacts[];
  readonly ring: GatewaySide['ring'];
}

type State = VerbRequest<'applet.report'>['state'];

/** Milliseconds until a package is asked for again, twice as long each time, at most a minute. */
const RETRY = 2_000;
const RETRY_MOST = 60_000;

interface Applet {
  wanted: Wanted;
  state: State;
  why?: string;
  scope?: AppletScope;
  pack?: AppPackage;
  retry: number;
  timer: Timer | undefined;
  alarm: Timer | undefined;
}

export class Applets {
  readonly #o: AppletsOptions;
  readonly #keeper: Keeper;
  readonly #side: GatewaySide;
  readonly #applets = new Map<string, Applet>();
  #document: AppletsDocument | undefined;
  #order: Promise<void> = Promise.resolve();
  #stopped = false;

  constructor(options: AppletsOptions) {
    this.#o = options;
    const { world, sandbox, agent, devices, ring } = options;
    this.#side = { world, agent, devices, ring };
    this.#keeper = new Keeper({
      clock: world.clock,
      log: world.log,
      sandbox,
      call: (id, name, input) => {
        const scope = this.#applets.get(id)?.scope;
        return scope === undefined
          ? Promise.resolve(err(fault('not_found')))
          : callFunction(this.#side, scope, name, input);
      },
      done: () => undefined,
      changed: (id, state, why) => this.#fares(id, state, why),
    });
  }

  /** Takes the desired document; the work goes on behind. */
  apply(document: AppletsDocument): void {
    this.#document = document;
    this.#then(async () => {
      const wanted = new Map(document.installs.map((install) => [install.install, install]));
      for (const id of [...this.#applets.keys()]) if (!wanted.has(id)) await this.#remove(id);
      for (const install of wanted.values()) await this.#want(install);
    });
  }

  /** The home is no more this gateway's: everything of it goes. */
  forget(): void {
    this.#document = undefined;
    this.#then(async () => {
      for (const id of [...this.#applets.keys()]) await this.#remove(id);
    });
  }

  /** Something happened in the house; applets that may hear of it do. */
  tell(event: HouseEvent): void {
    for (const [id, { scope }] of this.#applets)
      if (scope?.permissions['call.events'] !== undefined) this.#keeper.deliver(id, { n: 0, call: event });
  }

  /** Whether one of them could name phones for a call: it hears of calls and may start some. */
  mayRing(): boolean {
    return [...this.#applets.values()].some(({ scope, state }) => {
      const { 'call.events': hears, 'call.control': rings } = scope?.permissions ?? {};
      return state === 'running' && hears !== undefined && rings !== undefined;
    });
  }

  /** The cloud half says something. */
  deliver({ install, version, body }: VerbRequest<'applet.deliver'>): Result<Record<string, never>, Fault> {
    const applet = this.#applets.get(install);
    if (applet?.pack === undefined) return err(fault('applet_not_running', applet?.why));
    const { manifest } = applet.pack;
    if (!inRange(version, manifest.matches))
      return err(
        fault(
          'version_mismatch',
          `The applet ${manifest.version} works with ${manifest.matches}; the cloud half is ${version}.`,
        ),
      );
    const taken = this.#keeper.deliver(install, { n: 0, message: { from: 'cloud', body } });
    return taken ? ok({}) : err(fault('applet_not_running', applet.why));
  }

  status(): VerbReply<'applet.status.local'> {
    return {
      items: [...this.#applets].map(([install, { wanted, state, why, scope }]) => {
        const kept = this.#keeper.status(install);
        return {
          install,
          application: wanted.application,
          version: wanted.version,
          state,
          ...(why === undefined ? {} : { why }),
          granted: scope?.permissions ?? {},
          starts: kept?.starts ?? 0,
          cpu: kept?.cpu ?? 0,
          counted: [...(kept?.counted ?? [])],
          logs: [...(kept?.logs ?? [])],
        };
      }),
    };
  }

  control({ install, action }: VerbRequest<'applet.control.local'>): Result<Record<string, never>, Fault> {
    const applet = this.#applets.get(install);
    if (applet === undefined) return err(fault('gateway_refused', 'The gateway has no such applet.'));
    if (action === 'start') this.#run(install, applet);
    else if (action === 'quarantine') this.#keeper.quarantine(install, 'put away by a person');
    else {
      this.#keeper.stop(install);
      applet.alarm?.cancel();
      this.#report(install, applet, 'stopped', 'stopped by a person');
    }
    return ok({});
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    for (const applet of this.#applets.values()) {
      applet.timer?.cancel();
      applet.alarm?.cancel();
    }
    await this.#order;
    await this.#keeper.close();
  }

  #then(task: () => Promise<void>): void {
    this.#order = this.#order
      .then(() => (this.#stopped ? undefined : task()))
      .catch((error: unknown) => this.#o.world.log.error('applets.failed', { error: String(error) }));
  }

  #path(install: string, what: 'package' | 'data'): string {
    return `${this.#o.folder}/${install}.${what}.json`;
  }

  async #want(wanted: Wanted): Promise<void> {
    const before = this.#applets.get(wanted.install);
    if (before !== undefined && before.pack !== undefined && JSON.stringify(before.wanted) === JSON.stringify(wanted))
      return;
    const applet: Applet = before ?? { wanted, state: 'installed', retry: RETRY, timer: undefined, alarm: undefined };
    applet.wanted = wanted;
    applet.retry = RETRY;
    this.#applets.set(wanted.install, applet);
    if (before === undefined) this.#report(wanted.install, applet, 'installed');
    await this.#bring(applet);
  }

  /** Finds the package on the disk or at the portal, judges it, and runs it. What ran before runs on until then. */
  async #bring(applet: Applet): Promise<void> {
    applet.timer?.cancel();
    const { wanted } = applet;
    const { install } = wanted;
    const operatorKey = this.#document?.operatorKey ?? '';
    const kept = await this.#kept(install);
    let admitted = kept === undefined ? undefined : await admitPackage(kept, wanted, operatorKey, this.#o.world);
    if (admitted?.ok !== true) {
      const got = await this.#fetch(wanted);
      if (!got.ok) {
        this.#notYet(applet, got.fault);
        return;
      }
      admitted = await admitPackage(got.value, wanted, operatorKey, this.#o.world);
      if (!admitted.ok) {
        this.#refuse(applet, admitted.fault);
        return;
      }
      await this.#o.world.disk.write(this.#path(install, 'package'), utf8(JSON.stringify(admitted.value)));
    }
    // Removed or changed while it was on its way.
    if (this.#applets.get(install) !== applet || applet.wanted !== wanted || this.#stopped) return;
    const pack = admitted.value;
    const storage =
      applet.scope?.storage ?? (await AppletStorage.open(this.#o.world.disk, this.#path(install, 'data')));
    applet.pack = pack;
    applet.scope = {
      install,
      version: pack.manifest.version,
      permissions: granted(pack.manifest.permissions, wanted.grants),
      storage,
      sessions: new Set(),
      sent: [],
      wind: () => this.#wind(install),
    };
    this.#report(install, applet, 'verified');
    this.#run(install, applet);
  }

  #run(install: string, { pack, wanted }: Applet): void {
    const bundle = pack?.bundles.applet;
    if (bundle === undefined) return;
    const { application, version } = wanted;
    this.#keeper.start({ id: install, bundle, boot: { half: 'applet', install, app: application, version } });
  }

  async #kept(install: string): Promise<unknown> {
    const octets = await this.#o.world.disk.read(this.#path(install, 'package'));
    if (octets === undefined) return undefined;
    try {
      return JSON.parse(new TextDecoder().decode(octets)) as unknown;
    } catch {
      return undefined;
    }
  }

  async #fetch(wanted: Wanted) {
    const agent = this.#o.agent();
    const cloud = readCloudUrl(this.#o.cloudUrl);
    if (agent === undefined || 'refused' in cloud)
      return err({ when: 'later' as const, why: 'The gateway has no way to the cloud.' });
    return fetchPackage(this.#o.world, agent, cloud, wanted);
  }

  #notYet(applet: Applet, { when, why }: { readonly when: 'later' | 'refused'; readonly why: string }): void {
    if (when === 'refused') {
      this.#refuse(applet, why);
      return;
    }
    applet.why = why;
    const { clock, log } = this.#o.world;
    log.warn('applet.not-yet', { install: applet.wanted.install, why });
    const wait = applet.retry;
    applet.retry = Math.min(RETRY_MOST, wait * 2);
    applet.timer = clock.at(clock.mono() + wait, () => this.#then(() => this.#bring(applet)));
  }

  #refuse(applet: Applet, why: string): void {
    const { install } = applet.wanted;
    this.#o.world.log.warn('applet.refused', { install, why });
    this.#keeper.stop(install);
    delete applet.pack;
    this.#report(install, applet, 'refused', why);
  }

  async #remove(install: string): Promise<void> {
    const applet = this.#applets.get(install);
    if (applet === undefined) return;
    applet.timer?.cancel();
    applet.alarm?.cancel();
    this.#keeper.stop(install);
    this.#applets.delete(install);
    if (applet.scope !== undefined) await applet.scope.storage.erase();
    await this.#o.world.disk.remove(this.#path(install, 'data'));
    await this.#o.world.disk.remove(this.#path(install, 'package'));
    this.#report(install, applet, 'removed');
  }

  #fares(id: string, state: GuestState, why: string | undefined): void {
    const applet = this.#applets.get(id);
    if (applet === undefined || state === 'starting') return;
    const fresh = state === 'running' && applet.state !== 'throttled';
    this.#report(id, applet, state, why);
    if (!fresh) return;
    this.#keeper.deliver(id, { n: 0, start: true });
    this.#wind(id);
  }

  #report(install: string, applet: Applet, state: State, why?: string): void {
    applet.state = state;
    if (why === undefined) delete applet.why;
    else applet.why = why.slice(0, 256);
    const { application, version } = applet.wanted;
    const at = this.#o.world.clock.wall();
    const said = { install, application, version, state, at, ...(applet.why === undefined ? {} : { why: applet.why }) };
    void this.#o.agent()?.report('applet.report', said, { order: `applet state ${install}` });
  }

  /** Sets the alarm for the next timer of an applet. */
  #wind(install: string): void {
    const applet = this.#applets.get(install);
    const storage = applet?.scope?.storage;
    if (applet === undefined || storage === undefined) return;
    applet.alarm?.cancel();
    const next = Math.min(...storage.timers().map(({ at }) => at));
    if (!Number.isFinite(next)) return;
    const { clock } = this.#o.world;
    const wait = Math.min(Math.max(0, next - clock.wall()), 60_000);
    applet.alarm = clock.at(clock.mono() + wait, () => void this.#ring(install, storage));
  }

  async #ring(install: string, storage: AppletStorage): Promise<void> {
    const now = this.#o.world.clock.wall();
    for (const timer of storage.timers()) {
      if (timer.at > now) continue;
      const { name, at, every, data } = timer;
      this.#keeper.deliver(install, { n: 0, timer: { name, at, late: now - at > 5000, data } });
      if (every === undefined) await storage.removeTimer(name);
      else await storage.setTimer({ ...timer, at: at + every * Math.max(1, Math.ceil((now - at + 1) / every)) });
    }
    this.#wind(install);
  }
}
