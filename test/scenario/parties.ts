/**
 * Random calls of up to four parties (two phones behind one gateway, one behind another, one straight at the softswitch) over networks that
 * lose, delay, reorder and double, with features set and used, calls sent on by phones, requests that fit nowhere and help called, while the WAN is cut (for moments or hours), gateways start
 * again and the cloud is killed; and what has to hold whatever happens. One seed is one story.
 */
import type { Principal } from '#cloud/bus/bus.ts';
import { Phone, type PhoneCall } from '#simulator/phone.ts';
import type { Manner, PhoneOptions } from '#simulator/phone-options.ts';
import { Seeded, streamOf } from '#simulator/random.ts';
import type { Stage, StageHome, StageLine } from '#simulator/stage.ts';
import { virtualStage } from '#simulator/virtual-stage.ts';
import type { VirtualWorld } from '#simulator/world.ts';
import { type Carrier, carrier, trunkTo } from '#test/support/carrier.ts';

const STEPS = 40;
/** Milliseconds longer than any ringing, retransmission and question, twice; and than a session lives of which one side is dead (RFC 4028). */
const QUIET = [200_000, 70_000] as const;
const REFRESHED = 1_900_000;
/** A number that is nobody's here. */
const OUTSIDE = '+12125550100';
const PART: Principal = { kind: 'part', part: 'application-server' };

/** What one phone sent and got, as far as final answers to its INVITEs are concerned. */
class Ledger {
  /** Statuses by transaction. */
  readonly finals = new Map<string, Set<string>>();
  /** Call-IDs of dialogs that the phone itself ended: it no longer waits for what it asked in them. */
  readonly #left = new Set<string>();
  /** INVITEs whose other side died before it answered. */
  readonly #abandoned = new Set<string>();
  /** Requests within calls that came from the other side. */
  asked = 0;

  take(direction: 'in' | 'out', text: string): void {
    const field = (name: RegExp) => name.exec(text)?.[1] ?? '';
    const [start = ''] = text.split('\r\n', 1);
    const key = `${field(/^Call-ID:\s*(\S+)/im)} ${field(/^CSeq:\s*(.+?)\s*$/im)} ${field(/^Via:[^\r]*branch=([^;\s]+)/im)}`;
    if (direction === 'out' && start.startsWith('INVITE ')) this.finals.set(key, this.finals.get(key) ?? new Set());
    if (direction === 'out' && start.startsWith('BYE ')) this.#left.add(key.split(' ', 1)[0] ?? '');
    if (direction !== 'in') return;
    if (/^(?:INVITE|UPDATE|BYE) /.test(start)) this.asked++;
    const status = /^SIP\/2\.0 ([2-6]\d\d)/.exec(start)?.[1];
    if (status !== undefined) this.finals.get(key)?.add(`${status} ${field(/^To:[^\r]*tag=([^;\s]+)/im)}`);
  }

  /** Nobody is there any more to answer what is open. */
  abandon(): void {
    for (const [key, answers] of this.finals) if (answers.size === 0) this.#abandoned.add(key);
  }

  /** INVITEs with no final answer, or with several. */
  faults(): string[] {
    return [...this.finals].flatMap(([key, answers]) =>
      answers.size === 1 ||
      (answers.size === 0 && (this.#abandoned.has(key) || this.#left.has(key.split(' ', 1)[0] ?? '')))
        ? []
        : [`INVITE ${key}: ${[...answers].join(', ') || 'no final answer'}`],
    );
  }
}

interface Party {
  readonly line: StageLine;
  readonly name: string;
  readonly address: string;
  /** The gateway that serves it; absent: the softswitch. */
  readonly home?: StageHome;
  readonly protocol?: 'tcp';
  phone: Phone;
  ledger: Ledger;
}

/** The hosts of the phones behind a home's gateway. */
function behind(parties: readonly Party[], home: string): string[] {
  return parties.flatMap((party) => (party.home?.name === home ? [party.name] : []));
}

export class Parties {
  readonly stage: Stage;
  readonly world: VirtualWorld;
  readonly #dice: Seeded;
  readonly #parties: Party[] = [];
  readonly #ledgers: Ledger[] = [];
  /** Those who help: behind the operator's trunk, and behind the one that gateways fall back to. */
  readonly #helpers: Carrier[] = [];
  /** What was done, for whoever looks for a fault. */
  readonly story: string[] = [];

  private constructor(seed: number, stage: Stage, world: VirtualWorld) {
    this.stage = stage;
    this.world = world;
    this.#dice = new Seeded(seed, streamOf('parties'));
  }

  static async open(seed: number): Promise<Parties> {
    const { stage, world } = await virtualStage({ seed });
    const parties = new Parties(seed, stage, world);
    const [elm, oak] = [await stage.home('elm'), await stage.home('oak')];
    await parties.#join(elm, elm, '10.8.0.1');
    await parties.#join(elm, elm, '10.8.0.2', { protocol: 'tcp' });
    await parties.#join(oak, oak, '10.8.1.1');
    await parties.#join(oak, undefined, '10.8.2.1', { protocol: 'tcp' });
    await parties.#helped();
    return parties;
  }

  async #helped(): Promise<void> {
    const { stage, world } = this;
    for (const host of ['10.6.0.1', '10.6.0.2'])
      this.#helpers.push(await carrier(world, host, { answerAfter: 100 }, stage.ground.sip(stage.cloud)));
    const [psap, other] = this.#helpers as [Carrier, Carrier];
    stage.phones.push(psap.phone, other.phone);
    const { id: trunk } = await stage.api('trunk.create', trunkTo(psap, { probeEvery: 0 }));
    const fallback = { host: other.host, port: other.phone.address.port, transport: 'udp' } as const;
    await stage.api('emergency.policy.set', { country: 'US', routes: [{ trunk }], fallback });
    await world.run(1_000);
  }

  /** Plays the story and brings it to its end; what did not hold, in words. */
  async play(): Promise<string[]> {
    const { world } = this;
    const rough = { loss: this.#roll(0.12), delay: 5, jitter: this.#roll(60), duplicate: this.#roll(0.15) };
    this.story.push(JSON.stringify(rough));
    world.link(rough);
    for (let step = 0; step < STEPS; step++) {
      await this.#act();
      await world.run(this.#roll(this.#pick([20, 400, 3_000])));
    }
    world.heal();
    world.link({ loss: 0, delay: 1, jitter: 0, duplicate: 0 });
    for (const { phone } of [...this.#parties, ...this.#helpers]) phone.manner = 'decline';
    for (const quiet of QUIET) {
      for (const call of this.#all()) call.hangup();
      await world.run(quiet);
    }
    const asked = this.#ledgers.reduce((sum, one) => sum + one.asked, 0);
    await world.run(REFRESHED);
    const after = this.#ledgers.reduce((sum, one) => sum + one.asked, 0) - asked;
    return [
      ...(after > 0 ? [`${after} requests of dialogs that should be gone`] : []),
      ...this.#parties.flatMap(({ ledger }) => ledger.faults()),
      ...(await this.#leaks()),
      ...(await this.#records()),
    ];
  }

  async #join(
    of: StageHome,
    home: StageHome | undefined,
    address: string,
    more: Pick<Party, 'protocol'> = {},
  ): Promise<void> {
    const line = await this.stage.line(of);
    await this.world.run(500);
    const name = `party${this.#parties.length}`;
    const party = { line, name, address, ...more, ...(home && { home }) };
    this.#parties.push({ ...party, ...(await this.#switchOn(party)) });
  }

  async #switchOn(
    party: Omit<Party, 'phone' | 'ledger'>,
    more: Partial<PhoneOptions> = {},
  ): Promise<Pick<Party, 'phone' | 'ledger'>> {
    const { world, stage } = this;
    const { username, password = '', domain } = party.line.sip;
    const ledger = new Ledger();
    this.#ledgers.push(ledger);
    const phone = await world.settle(
      Phone.open({
        ...{ world: world.host(party.name, [party.address]), host: party.address, username, password, domain },
        server: party.home?.gateway.status().sip.udp ?? stage.ground.sip(stage.cloud),
        ...(party.protocol === undefined ? {} : { protocol: party.protocol }),
        answerAfter: Math.floor(this.#roll(800)),
        trace: (direction, text) => ledger.take(direction, text),
        ...more,
      }),
    );
    this.stage.phones.push(phone);
    void phone.register();
    await world.run(1_500);
    return { phone, ledger };
  }

  #all(): PhoneCall[] {
    return [...this.#parties, ...this.#helpers].flatMap(({ phone }) => phone.calls);
  }

  async #act(): Promise<void> {
    const act = this.#pick([
      ...['dial', 'dial', 'dial', 'dial', 'answer', 'answer', 'hangup', 'hold', 'hold', 'glare', 'blind', 'attended'],
      ...['update', 'update', 'park and restart', 'reconnect', 'reconnect'],
      ...['cross', 'pickup', 'park', 'fetch', 'manner', 'manner', 'crash', 'code', 'code', 'code', 'three', 'three'],
      ...['cut', 'heal', 'heal', 'restart', 'kill', 'help', 'hours', 'moved', 'garbage', 'garbage'],
    ] as const);
    const party = this.#pick(this.#parties);
    const { phone } = party;
    const up = this.#all().filter((call) => call.state === 'up');
    const own = phone.calls.filter((call) => call.state === 'up');
    const [call, mine, other] = [this.#pick(up), this.#pick(own), this.#pick(own)];
    const target = this.#pick(this.#parties).line.number;
    this.story.push(`${this.world.now} ${act} ${party.name} ${target}`);
    if (act === 'dial') await this.world.settle(phone.dial(this.#pick([target, target, target, '+15559990000'])));
    else if (act === 'answer') for (const one of this.#all()) one.answer();
    else if (act === 'hangup') this.#pick(this.#all().filter(({ state }) => state !== 'ended'))?.hangup();
    else if (act === 'hold') call?.hold(this.#dice.fraction() < 0.5);
    else if (act === 'update' && mine !== undefined)
      void phone.offerByUpdate(mine, this.#pick(['sendonly', 'sendrecv']));
    else if (act === 'park and restart' && mine !== undefined && party.home !== undefined) {
      void phone.refer(mine, '*5');
      await this.world.run(this.#roll(2_000));
      await this.#restart(party.home);
    } else if (act === 'reconnect' && party.protocol === 'tcp') await this.#reconnect(party);
    else if (act === 'glare') for (const one of up) one.hold(this.#dice.fraction() < 0.5);
    else if (act === 'cross') for (const one of up) one.hangup();
    else if (act === 'blind' && mine !== undefined) void phone.refer(mine, target);
    else if (act === 'attended' && mine !== undefined && other !== undefined && mine !== other)
      void phone.refer(mine, other);
    else if (act === 'pickup') await this.world.settle(phone.dial('*8'));
    else if (act === 'park' && mine !== undefined) void phone.refer(mine, '*5');
    else if (act === 'fetch') await this.world.settle(phone.dial('*5'));
    else if (act === 'code') await this.world.settle(phone.dial(this.#code(target)));
    else if (act === 'three') await this.#three(phone);
    else if (act === 'cut') this.#cut();
    else if (act === 'help') await this.world.settle(phone.dial('911'));
    else if (act === 'hours' && this.#dice.fraction() < 0.2) await this.#hours();
    else if (act === 'heal') this.world.heal();
    else if (act === 'restart' && this.#dice.fraction() < 0.4) await this.#restart(this.#pick(this.stage.homes));
    else if (act === 'kill' && this.#dice.fraction() < 0.4) await this.#kill();
    else if (act === 'manner')
      phone.manner = this.#pick<Manner>(['answer', 'answer', 'answer', 'ring', 'busy', 'decline']);
    else if (act === 'moved' && this.#dice.fraction() < 0.5)
      await this.#moves(party, this.#pick([target, target, OUTSIDE]));
    else if (act === 'garbage' && mine !== undefined) this.#garbage(phone, mine);
    else if (act === 'crash' && this.#dice.fraction() < 0.5) {
      await this.world.settle(phone.close());
      Object.assign(party, await this.#switchOn(party));
    }
  }

  /** The phone's connection breaks: it registers over another one, with its calls. What it waited for over the old one is lost. */
  async #reconnect({ phone, ledger }: Party): Promise<void> {
    ledger.abandon();
    await this.world.settle(phone.reconnect().catch(() => 0));
  }

  /** Phones whose connections went with this gateway, or with the cloud, connect again. */
  async #reconnected(to: StageHome | undefined): Promise<void> {
    for (const party of this.#parties) if (party.home === to && party.protocol === 'tcp') await this.#reconnect(party);
  }

  /** The phone is started again and sends whoever calls it there. */
  async #moves(party: Party, to: string): Promise<void> {
    await this.world.settle(party.phone.close());
    const contact = `<sip:${to}@${party.line.sip.domain}>`;
    Object.assign(party, await this.#switchOn(party, { refuses: 302, refusalHeaders: [['Contact', contact]] }));
  }

  /** What belongs to no subscription, and what changes nothing. */
  #garbage(phone: Phone, call: PhoneCall): void {
    const event = this.#pick(['refer', 'dialog', 'keep-alive']);
    void phone.askIn(call, 'NOTIFY', [
      ['Event', event],
      ['Subscription-State', 'active'],
    ]);
    void phone.askIn(call, 'UPDATE', []);
    void phone.ask('NOTIFY');
  }

  /** The house reaches nobody but those who help. */
  #cut(): void {
    this.world.partition(['elm', ...behind(this.#parties, 'elm'), `carrier-${this.#helpers[1]?.host}`]);
  }

  async #hours(): Promise<void> {
    this.#cut();
    await this.world.run(this.#roll(7_200_000));
  }

  /** A star code: a feature on or off, for this number where it takes one. */
  #code(target: string): string {
    return this.#pick([
      ...['*26#', '#26#', '#26#', '*43#', '#43#', '*31#', '#31#', '*30#', '#30#', '*66', '*69', '*7', `*8*${target}#`],
      ...[`*65*${target}#`, '#65#', '#65#', `*64*${target}#`, '#64#', `*60*${target}#`, '#60#', `*44*${target}*1#`],
      ...[`*21*${target}#`, '#21#', '#21#', `*67*${target}#`, '#67#', `*61*${target}#`, '#61#', `*62*${target}#`],
    ]);
  }

  /** Two calls of one phone, each on hold, become a talk of three. */
  async #three(phone: Phone): Promise<void> {
    for (let n = 0; n < 2; n++) {
      const call = await this.world.settle(phone.dial(this.#pick(this.#parties).line.number));
      await this.world.run(this.#roll(4_000));
      call.hold(true);
    }
    await this.world.run(this.#roll(2_000));
    await this.world.settle(phone.dial('*7'));
  }

  /** A gateway starts again. It refuses what is not answered yet, once: over UDP that may be lost. */
  async #restart(at: StageHome): Promise<void> {
    const abandon = () => {
      for (const { home, ledger } of this.#parties) if (home === at) ledger.abandon();
    };
    abandon();
    await at.restart();
    abandon();
    await this.#reconnected(at);
  }

  /** The cloud ends in the middle of whatever it does. Who is straight at it then waits in vain for what it has asked. */
  async #kill(): Promise<void> {
    const abandon = () => {
      for (const { home, ledger } of this.#parties) if (home === undefined) ledger.abandon();
    };
    abandon();
    await this.stage.killCloud();
    await this.world.run(this.#roll(20_000));
    abandon();
    await this.stage.startCloud();
    await this.#reconnected(undefined);
  }

  async #leaks(): Promise<string[]> {
    const { stage, world } = this;
    const leaks: string[] = [];
    const none = (what: string, count: number) => count > 0 && leaks.push(`${count} ${what} left`);
    for (const party of this.#parties)
      none(`calls of ${party.name}`, party.phone.calls.filter(({ state }) => state !== 'ended').length);
    for (const { host, phone } of this.#helpers)
      none(`calls of ${host}`, phone.calls.filter(({ state }) => state !== 'ended').length);
    for (const home of stage.homes) {
      none(`calls in ${home.name}`, home.gateway.status().voice.calls);
      none(`media nodes in ${home.name}`, (await world.settle(home.engine.list())).length);
    }
    const { bus, context } = stage.cloud;
    for (const verb of ['channel.list', 'media.endpoint.list'] as const) {
      const list = await world.settle(bus.request(verb, {}, { principal: PART }));
      none(verb, list.ok ? list.value.items.length : 1);
    }
    for (const table of ['channel', 'spool'])
      none(`rows of ${table}`, (await world.settle(context.store.all(`SELECT 1 FROM ${table}`))).length);
    const { items } = await stage.api('session.list', { live: true });
    none('sessions', items.length);
    return leaks;
  }

  /** Every leg has one record, and every record a leg. */
  async #records(): Promise<string[]> {
    const { store } = this.stage.cloud.context;
    const cdrs = await this.world.settle(store.all<{ leg: string }>('SELECT leg FROM cdr'));
    const count = new Map<string, number>();
    for (const { leg } of cdrs) count.set(leg, (count.get(leg) ?? 0) + 1);
    const faults: string[] = [];
    for (let after: string | undefined, more = true; more; ) {
      const page = await this.stage.api('session.list', after === undefined ? {} : { after });
      for (const { id, reason, legs } of page.items) {
        for (const leg of legs) {
          if (count.get(leg.id) !== 1)
            faults.push(`leg ${leg.id} of ${id} (${reason}) has ${count.get(leg.id) ?? 0} records`);
          count.delete(leg.id);
        }
      }
      after = page.next;
      more = after !== undefined;
    }
    return [...faults, ...[...count.keys()].map((leg) => `a record of no leg: ${leg}`)];
  }

  #pick<T>(from: readonly T[]): T {
    return from[Math.floor(this.#dice.fraction() * from.length)] as T;
  }

  #roll(most: number): number {
    return this.#dice.fraction() * most;
  }
}
