/**
 * The diagnosis of this gateway, one engine for every way in: local socket, serial console, cloud. It gathers, judges and answers the
 * verbs `gateway.….local`. Waking a device, and asking the updater to install a bundle, is all that it does.
 */
import { err, ok, type Result } from '#shared/kernel/result.ts';
import type { Log, World } from '#shared/kernel/world.ts';
import type { MediaEngine } from '#shared/media-engine/engine.ts';
import { misfit } from '#shared/protocol/check.ts';
import { type Fault, fault } from '#shared/protocol/fault.ts';
import { type VerbReply, type VerbRequest, verbEntry } from '#shared/protocol/verbs/index.ts';
import { SipTrace } from '#shared/sip/trace.ts';
import type { Agent } from '../agent/agent.ts';
import type { Onlooker } from '../sip-edge/insight.ts';
import type { BundleInput } from './bundle.ts';
import { Bundles } from './bundles.ts';
import { CallBook } from './call-book.ts';
import { gather, type Sources } from './gather.ts';
import { type CheckReport, type CheckResult, judge, reportOf } from './judge.ts';
import { LogBook, rankOf } from './log-book.ts';
import { Redactor } from './redact.ts';
import { hostsOf, networkOf, type ReportSources, statusOf } from './reports.ts';
import { serialPorts } from './serial-ports.ts';
import { Watch } from './watch.ts';
import { whyCall, whyGateway, whyLine } from './why.ts';

export interface DiagnosticsOptions {
  readonly world: World;
  readonly engine: MediaEngine;
  readonly cloudUrl: string;
  readonly state: string;
  readonly profile: string;
  readonly version: string;
}

export const LOCAL_VERBS = [
  'gateway.status.local',
  'gateway.check.local',
  'gateway.logs.local',
  'gateway.calls.local',
  'gateway.trace.local',
  'gateway.why.local',
  'gateway.network.local',
  'gateway.hosts.local',
  'gateway.serial.local',
  'gateway.bundle.local',
  'device.wake.local',
  'gateway.update.local',
  'update.start.local',
  'update.stop.local',
] as const;
export type LocalVerb = (typeof LOCAL_VERBS)[number];
type Handlers = { readonly [V in LocalVerb]: (request: VerbRequest<V>) => Promise<Result<VerbReply<V>, Fault>> };

/** Lines of a page of the log, and characters of a page. */
const PAGE = 100;
const PAGE_TEXT = 40 * 1024;
/** Traces in a bundle. */
const TRACES = 20;

export class Diagnostics {
  readonly #o: DiagnosticsOptions;
  readonly #log: LogBook;
  readonly #trace = new SipTrace();
  readonly #calls = new CallBook(this.#trace);
  readonly #watch: Watch;
  readonly #startedAt: number;
  #sources: Sources | undefined;
  #running: Promise<CheckResult[]> | undefined;
  readonly #bundles: Bundles;

  constructor(options: DiagnosticsOptions) {
    const { world, state } = options;
    this.#o = options;
    this.#log = new LogBook(world, `${state}/diagnostics`);
    this.#watch = new Watch(world, `${state}/diagnostics/starts.json`);
    this.#startedAt = world.clock.mono();
    this.#bundles = new Bundles(world, () => this.#content());
  }

  /** The world's log, whose lines are remembered here as well. */
  get log(): Log {
    return this.#log.tee(this.#o.world.log);
  }

  /** Who sees SIP messages and calls pass. */
  get onlooker(): Onlooker {
    const { clock } = this.#o.world;
    return {
      message: (direction, peer, text) => this.#trace.message(direction, peer, text, clock.wall()),
      call: (note) => this.#calls.note(note),
    };
  }

  async start(sources: Sources): Promise<void> {
    this.#sources = sources;
    await this.#log.start();
    await this.#watch.start();
  }

  async stop(): Promise<void> {
    await this.#watch.stop();
    await this.#log.stop();
  }

  /** Lets the cloud ask. */
  attach(agent: Agent): void {
    for (const verb of LOCAL_VERBS) agent.onCommand(verb, (body) => this.answer(verb, body) as never);
  }

  /** Answers a question from any channel; always resolves. */
  async answer(verb: string, body: unknown): Promise<Result<unknown, Fault>> {
    const entry = verbEntry(verb);
    const known = LOCAL_VERBS.find((one) => one === verb);
    if (known === undefined || entry === undefined)
      return err(fault('bad_request', `This gateway does not answer ${verb.slice(0, 64)}.`));
    const wrong = misfit(entry.request, body);
    if (wrong !== undefined) return err(wrong);
    try {
      return await (this.#handlers[known] as (request: unknown) => Promise<Result<unknown, Fault>>)(body);
    } catch (error) {
      this.#o.world.log.error('diagnosis.failed', { verb, error: String(error) });
      return err(fault('internal', 'The gateway made an error.'));
    }
  }

  readonly #handlers: Handlers = {
    'gateway.status.local': async () => ok(statusOf(this.#reported())),
    'gateway.check.local': (request) => this.#check(request),
    'gateway.logs.local': async (request) => ok(this.#page(request)),
    'gateway.calls.local': async () => ok({ items: this.#calls.list().slice(0, PAGE) }),
    'gateway.trace.local': async ({ call }) => {
      const trace = this.#calls.trace(call);
      return trace === undefined ? err(fault('not_found', 'The gateway remembers no such call.')) : ok(trace);
    },
    'gateway.why.local': (request) => this.#why(request),
    'gateway.network.local': async () => ok(await networkOf(this.#o.world)),
    'gateway.hosts.local': async () => ok(hostsOf(this.#reported())),
    'gateway.serial.local': async () => ok({ items: await serialPorts(this.#o.world.disk) }),
    'gateway.bundle.local': (request) => this.#bundles.ask(request),
    'device.wake.local': async ({ mac }) => {
      const network = this.#source().network();
      return network === undefined
        ? err(fault('gateway_refused', `A ${this.#o.profile} does not wake devices.`))
        : ok({ sent: await network.wake(mac) });
    },
    'gateway.update.local': async () => ok(await this.#source().updater().status()),
    'update.start.local': (request) => this.#source().updater().begin(request),
    'update.stop.local': (request) => this.#source().updater().halt(request),
  };

  #source(): Sources {
    if (this.#sources === undefined) throw new Error('the diagnosis has not started');
    return this.#sources;
  }

  #reported(): ReportSources {
    const { world, cloudUrl, profile, version } = this.#o;
    return { world, cloudUrl, profile, version, startedAt: this.#startedAt, sources: this.#source() };
  }

  /** Every check's result; who asks for the long run while one is under way gets that one. */
  #results(quick: boolean): Promise<CheckResult[]> {
    if (quick) return this.#gathered(true);
    this.#running ??= this.#gathered(false).finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  async #gathered(quick: boolean): Promise<CheckResult[]> {
    const facts = await gather(
      {
        ...this.#o,
        sources: this.#source(),
        startedAt: this.#startedAt,
        watched: this.#watch,
        log: () => this.#log.entries,
      },
      quick,
    );
    return judge(facts);
  }

  async #check({
    quick = false,
    group,
    check,
  }: VerbRequest<'gateway.check.local'>): Promise<Result<CheckReport, Fault>> {
    const { clock } = this.#o.world;
    const start = clock.mono();
    const items = await this.#results(quick);
    if (group !== undefined && !items.some((one) => one.group === group))
      return err(fault('not_found', 'There is no such group of checks.'));
    if (check !== undefined && !items.some((one) => one.id === check))
      return err(fault('not_found', 'There is no such check.'));
    const only = { ...(group === undefined ? {} : { group }), ...(check === undefined ? {} : { check }) };
    const { gateway } = this.#source().pairing();
    return ok(reportOf(gateway, Math.max(0, Math.floor(clock.wall())), clock.mono() - start, items, only));
  }

  #page({
    since = 0,
    after = 0,
    limit = PAGE,
    level = 'debug',
    call,
  }: VerbRequest<'gateway.logs.local'>): VerbReply<'gateway.logs.local'> {
    const ids =
      call === undefined ? [] : [call, ...(this.#calls.find(call)?.callIds ?? []), this.#calls.find(call)?.id ?? call];
    const redactor = this.#redactor();
    const found = this.#log.entries.filter(
      (one) =>
        one.n > after &&
        one.at >= since &&
        rankOf(one.level) >= rankOf(level) &&
        (call === undefined || Object.values(one.fields).some((value) => ids.includes(String(value)))),
    );
    // Without a place to go on from, people want the end of it.
    const page = after > 0 ? found.slice(0, limit) : found.slice(-limit);
    const items: typeof page = [];
    let text = 0;
    for (const { fields, ...one } of after > 0 ? page : page.reverse()) {
      const shown = Object.fromEntries(
        Object.entries(fields).map(([name, value]) => [
          name,
          typeof value === 'string' ? redactor.scrubbed(value) : value,
        ]),
      );
      text += JSON.stringify(shown).length + 100;
      if (text > PAGE_TEXT) break;
      items.push({ ...one, fields: shown });
    }
    if (after === 0) items.reverse();
    return { items, last: items.at(-1)?.n ?? Math.max(after, this.#log.entries.at(-1)?.n ?? 0) };
  }

  async #why({
    about = 'gateway',
    subject,
  }: VerbRequest<'gateway.why.local'>): Promise<Result<VerbReply<'gateway.why.local'>, Fault>> {
    if (about === 'gateway') return ok(whyGateway(await this.#results(false)));
    if (subject === undefined) return err(fault('bad_request', `Say which ${about}.`, { pointer: '/subject' }));
    if (about === 'line') {
      const insight = this.#source().edge()?.insight();
      const lines = { lines: insight?.lines ?? [], refusals: insight?.refusals ?? [], calls: this.#calls.list() };
      return ok(whyLine(subject, lines, await this.#results(false)));
    }
    const call = this.#calls.find(subject);
    if (call === undefined) return err(fault('not_found', 'The gateway remembers no such call.'));
    return ok(whyCall(call, this.#calls.trace(call.id)));
  }

  async #content(): Promise<Omit<BundleInput, 'pause'>> {
    const { world, state, version } = this.#o;
    const wall = Math.max(0, Math.floor(world.clock.wall()));
    const items = await this.#results(false);
    const { gateway } = this.#source().pairing();
    const calls = this.#calls.list();
    const documents: Record<string, unknown> = {};
    for (const doc of ['system', 'voice']) documents[doc] = await readJson(world, `${state}/agent/desired-${doc}.json`);
    return {
      gateway,
      version,
      wall,
      answers: {
        status: statusOf(this.#reported()),
        checks: reportOf(gateway, wall, 0, items),
        network: await networkOf(world),
        hosts: hostsOf(this.#reported()),
      },
      documents,
      log: this.#log.entries,
      calls,
      traces: calls.slice(0, TRACES).flatMap(({ id }) => this.#calls.trace(id) ?? []),
      redactor: this.#redactor(),
    };
  }

  /** What this gateway holds that nobody may see. */
  #redactor(): Redactor {
    const sources = this.#source();
    const { code, qr } = sources.pairing();
    const key = sources.identity()?.key;
    const secrets = [code, code?.replace('-', ''), qr, key, ...(sources.edge()?.secrets() ?? [])];
    const known = this.#calls.list().flatMap(({ callIds, id }) => [...callIds, id]);
    return new Redactor(
      secrets.filter((one) => one !== undefined),
      known,
    );
  }
}

async function readJson({ disk }: World, path: string): Promise<unknown> {
  const octets = await disk.read(path).catch(() => undefined);
  try {
    return octets === undefined ? null : JSON.parse(new TextDecoder().decode(octets));
  } catch {
    return '(damaged)';
  }
}
