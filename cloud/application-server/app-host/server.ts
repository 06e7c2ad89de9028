/**
 * The application host: runs the cloud halves of installed applications in the sandbox. The installs in the store are the truth; the
 * bus only hints that it is worth looking.
 */
import type { Handlers } from '#cloud/bus/bus.ts';
import type { Part, PartContext } from '#cloud/bus/part.ts';
import { sees } from '#cloud/store/directory.ts';
import { remember, repeated } from '#cloud/store/idempotency.ts';
import { sql } from '#cloud/store/store.ts';
import { Keeper } from '#shared/applet/keeper.ts';
import { localSandbox } from '#shared/applet/local.ts';
import { MESSAGE_LIMIT, type Sandbox } from '#shared/applet/sandbox.ts';
import { err, ok } from '#shared/kernel/result.ts';
import { every } from '#shared/kernel/time.ts';
import type { Timer } from '#shared/kernel/world.ts';
import type { AppPackage, Manifest } from '#shared/protocol/applet-manifest.ts';
import { fault } from '#shared/protocol/fault.ts';
import { inRange } from '#shared/protocol/version.ts';
import { callFunction } from './functions.ts';
import { Half, type HalfFacts } from './half.ts';
import { WebhookHalf, webhookSecret } from './webhook-half.ts';

/** Milliseconds between looks at what may wait, where no hint came. */
const LOOK_EVERY = 5_000;
/** Messages of an applet that may wait for its cloud half. */
export const INBOX_LIMIT = 200;

interface InstalledRow {
  readonly id: string;
  readonly home: string;
  readonly app: string;
  readonly version: string;
  readonly consent: string;
  readonly manifest: string;
}

export interface AppHostOptions {
  /** Default: in this thread, counted in fuel. */
  readonly sandbox?: () => Sandbox;
}

export function createAppHost({ sandbox = localSandbox }: AppHostOptions = {}): Part {
  return {
    name: 'app-host',
    async start(context) {
      const host = new AppHost(context, sandbox());
      await host.start();
      return {
        health: () => ({ state: 'running', load: 0, legs: 0 }),
        stop: () => host.stop(),
      };
    },
  };
}

const find =
  "SELECT install.id, install.home, install.app, install.version, install.consent, app_version.manifest FROM install JOIN app_version ON app_version.app = install.app AND app_version.version = install.version WHERE app_version.state = 'published'";

class AppHost {
  readonly #c: PartContext;
  readonly #keeper: Keeper;
  readonly #halves = new Map<string, Half>();
  /** Halves that run elsewhere. */
  readonly #webhooks = new Map<string, WebhookHalf>();
  readonly #leave: (() => void)[] = [];
  #timer: Timer | undefined;
  #ringing = Number.POSITIVE_INFINITY;
  /** Changes of installs, one after another. */
  #order: Promise<void> = Promise.resolve();
  #stopped = false;

  constructor(context: PartContext, sandbox: Sandbox) {
    this.#c = context;
    const { clock, log } = context.world;
    this.#keeper = new Keeper({
      clock,
      log,
      sandbox,
      call: async (id, name, input) => {
        const half = this.#halves.get(id);
        if (half === undefined) return err(fault('not_found'));
        const outcome = await callFunction(context, half.facts, name, input);
        if (name === 'timer.set' && outcome.ok) {
          await this.#wind();
          // One that lies in the past rings at once.
          half.look();
        }
        return outcome;
      },
      done: (id, delivery) => this.#halves.get(id)?.courier.done(delivery),
      changed: (id, state, _why, end) => {
        if (state === 'running') this.#resumed(id);
        else if (state === 'crashed' || state === 'quarantined') {
          this.#running.delete(id);
          this.#halves.get(id)?.ended(end !== 'host-lost');
        }
      },
    });
  }

  /** Guests that run; a throttled one goes on where it was. */
  readonly #running = new Set<string>();

  #resumed(id: string): void {
    if (this.#running.has(id)) return;
    this.#running.add(id);
    this.#halves.get(id)?.started();
  }

  async start(): Promise<void> {
    const { bus, world, store } = this.#c;
    for (const row of await store.all<InstalledRow>(find)) await this.#put(row);
    const lookAll = () => {
      for (const [id, half] of this.#halves) if (this.#running.has(id)) half.look();
    };
    this.#leave.push(
      bus.serve('app-host', this.#handlers()),
      bus.subscribe('install.changed', ({ install }) => this.#change(install)),
      bus.subscribe('event.appended', ({ home }) => this.#lookHome(home)),
      bus.subscribe('session.changed', lookAll),
      bus.subscribe('applet.said', ({ install }) => this.#look(install)),
      every(world.clock, LOOK_EVERY, () => {
        lookAll();
        void this.#wind();
      }),
    );
    await this.#wind();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    for (const leave of this.#leave.splice(0)) leave();
    this.#timer?.cancel();
    await this.#order;
    for (const webhook of this.#webhooks.values()) webhook.stop();
    for (const half of this.#halves.values()) half.stop();
    await this.#keeper.close();
  }

  #look(install: string): void {
    if (this.#running.has(install)) this.#halves.get(install)?.look();
  }

  #lookHome(home: string | undefined): void {
    for (const [id, half] of this.#halves) if (half.facts.home === home && this.#running.has(id)) half.look();
  }

  /** An install came, changed or went. */
  #change(install: string): void {
    this.#order = this.#order
      .then(async () => {
        if (this.#stopped) return;
        const row = await this.#c.store.one<InstalledRow>(`${find} AND install.id = ?`, [install]);
        if (row === undefined) this.#drop(install);
        else await this.#put(row);
      })
      .catch((error: unknown) => this.#c.world.log.error('app-host.change-failed', { install, error: String(error) }));
  }

  #drop(install: string): void {
    this.#keeper.stop(install);
    this.#running.delete(install);
    this.#webhooks.get(install)?.stop();
    this.#webhooks.delete(install);
    this.#halves.get(install)?.stop();
    this.#halves.delete(install);
  }

  async #put({ id, home, app, version, consent, manifest: text }: InstalledRow): Promise<void> {
    const manifest = JSON.parse(text) as Manifest;
    const facts: HalfFacts = { install: id, home, app, version, manifest, consent: JSON.parse(consent) as string[] };
    this.#drop(id);
    const { store, world } = this.#c;
    if (manifest.cloud !== undefined && 'webhook' in manifest.cloud) return this.#reach(facts, manifest.cloud.webhook);
    const bundle = await this.#bundle(facts);
    if (bundle === undefined) return;
    this.#halves.set(id, new Half(facts, store, world, (message) => this.#keeper.deliver(id, message)));
    this.#keeper.start({ id, bundle, boot: { half: 'cloud', install: id, home, app, version } });
  }

  /** A cloud half that runs elsewhere. */
  async #reach(facts: HalfFacts, url: string): Promise<void> {
    const { store, world, config } = this.#c;
    const { install } = facts;
    const secret = await webhookSecret(store, world, facts.app);
    const options = { world, facts, url, secret, anyAddress: config.privateWebhooks === true };
    const webhook = new WebhookHalf({ ...options, half: () => this.#halves.get(install) });
    this.#webhooks.set(install, webhook);
    this.#halves.set(install, new Half(facts, store, world, (message, key) => webhook.send(message, key)));
    this.#resumed(install);
  }

  async #bundle({ app, version, manifest }: HalfFacts): Promise<string | undefined> {
    if (manifest.cloud === undefined || !('sha256' in manifest.cloud)) return undefined;
    const row = await this.#c.store.one<{ package: string }>(
      'SELECT package FROM app_version WHERE app = ? AND version = ?',
      [app, version],
    );
    return row === undefined ? undefined : (JSON.parse(row.package) as AppPackage).bundles.cloud;
  }

  /** Sets the alarm for the next timer of any install. */
  async #wind(): Promise<void> {
    const { store, world } = this.#c;
    const row = await store.one<{ due: number | null }>(
      'SELECT MIN(due_at) AS due FROM install_timer WHERE due_at > ?',
      [world.clock.wall()],
    );
    if (this.#stopped || row?.due == null || row.due >= this.#ringing) return;
    this.#timer?.cancel();
    this.#ringing = row.due;
    // A far timer is looked for again by the regular look; the wall clock may jump meanwhile.
    const wait = Math.min(row.due - world.clock.wall(), LOOK_EVERY);
    this.#timer = world.clock.at(world.clock.mono() + wait, () => {
      this.#ringing = Number.POSITIVE_INFINITY;
      for (const [id, half] of this.#halves) if (this.#running.has(id)) half.look();
      void this.#wind();
    });
  }

  /** What is shown of a half that is no guest here. */
  #elsewhere(install: string): { readonly state: 'webhook' | 'none'; readonly why?: string } {
    const webhook = this.#webhooks.get(install);
    if (webhook === undefined) return { state: 'none' };
    return { state: 'webhook', ...(webhook.why === undefined ? {} : { why: webhook.why }) };
  }

  #handlers(): Handlers<'app-host'> {
    const { store, bus, world } = this.#c;
    const visible = async (install: string, principal: Parameters<typeof sees>[0]) => {
      const row = await store.one<{ home: string; version: string }>('SELECT home, version FROM install WHERE id = ?', [
        install,
      ]);
      return row !== undefined && sees(principal, row.home) ? row : undefined;
    };
    return {
      'install.status': async ({ install }, { principal }) => {
        const row = await visible(install, principal);
        if (row === undefined) return err(fault('not_found'));
        const {
          id: _,
          dropped: __,
          ...status
        } = this.#keeper.status(install) ?? {
          id: '',
          dropped: 0,
          ...this.#elsewhere(install),
          starts: 0,
          cpu: 0,
          counted: [],
          logs: [],
        };
        return ok({ install, version: row.version, ...status, counted: [...status.counted], logs: [...status.logs] });
      },

      'install.restart': async ({ install }, { principal }) => {
        if ((await visible(install, principal)) === undefined) return err(fault('not_found'));
        this.#change(install);
        await this.#order;
        return ok({});
      },

      'applet.message': async ({ install, version, body }, asked) => {
        const before = await repeated<'applet.message'>(store, asked);
        if (before !== undefined) return before;
        const { principal } = asked;
        if (principal.kind !== 'gateway') return err(fault('forbidden'));
        const row = await visible(install, principal);
        if (row === undefined)
          return err(fault('not_found', 'That application is not installed in this gateway’s home.'));
        const half = this.#halves.get(install);
        if (half !== undefined && !inRange(version, half.facts.manifest.matches))
          return err(
            fault(
              'version_mismatch',
              `The cloud half ${half.facts.version} works with ${half.facts.manifest.matches}; the applet is ${version}.`,
            ),
          );
        const text = JSON.stringify(body);
        if (text.length > MESSAGE_LIMIT / 2)
          return err(fault('too_large', `A message has at most ${MESSAGE_LIMIT / 2} characters as JSON.`));
        const count = await store.one<{ n: number }>('SELECT COUNT(*) AS n FROM install_inbox WHERE install = ?', [
          install,
        ]);
        if ((count?.n ?? 0) >= INBOX_LIMIT)
          return err(fault('limit_reached', `At most ${INBOX_LIMIT} messages wait for a cloud half.`));
        await store.commit([
          sql(
            'INSERT INTO install_inbox (install, gateway, body, at) VALUES (?, ?, ?, ?)',
            install,
            principal.gateway,
            text,
            world.clock.wall(),
          ),
          ...remember<'applet.message'>(asked, ok({}), world.clock.wall()),
        ]);
        bus.publish('applet.said', { install });
        return ok({});
      },
    };
  }
}
