/** Signed callers: the operator's document in the store, our signature on calls that leave, the check of those that come in, and its verbs. */
import type { Bus, Context, Handlers, Outcome } from '#cloud/bus/bus.ts';
import { remember, repeated } from '#cloud/store/idempotency.ts';
import { seal, unseal } from '#cloud/store/sealed.ts';
import { type Store, sql } from '#cloud/store/store.ts';
import { err, ok } from '#shared/kernel/result.ts';
import { Turns } from '#shared/kernel/turns.ts';
import type { ChainFacts, World } from '#shared/kernel/world.ts';
import { fault } from '#shared/protocol/fault.ts';
import type { VerbReply, VerbRequest } from '#shared/protocol/verbs/index.ts';
import type { Verdict } from '#shared/sip/identity-check.ts';
import type { SipMessage } from '#shared/sip/message.ts';
import { SELF } from '../media.ts';
import type { Arrival } from '../trunk/arrival.ts';
import type { TrunkWay } from '../trunk/trunk.ts';
import { Certificates } from './certificates.ts';
import { Chains } from './chains.ts';
import { fits, type IdentityRow, readEntry, type Signer, shown, whyNot } from './settings.ts';
import { type OutgoingCall, signedWay } from './sign.ts';
import { Replays, verifyCaller } from './verify.ts';

type Verbs = 'identity.get' | 'identity.set' | 'identity.key.create';

export interface CallerIdentityOptions {
  readonly world: World;
  readonly store: Store;
  readonly bus: Bus;
  /** Seals keys. */
  readonly key: Uint8Array;
}

/** What a sealed key is bound to. */
const CONTEXT = 'identity';
const UNSIGNED = 'callers-unsigned';

export class CallerIdentity {
  readonly #o: CallerIdentityOptions;
  readonly #certificates: Certificates;
  readonly #replays = new Replays();
  readonly #chains: Chains;
  /** What changes the document reads it first. */
  readonly #turns = new Turns();
  #row: IdentityRow = {};
  #facts: ChainFacts | undefined;
  #signer: Signer | undefined;
  /** Somebody was told that calls leave unsigned. */
  #alarmed = false;

  constructor(options: CallerIdentityOptions) {
    this.#o = options;
    this.#certificates = new Certificates(options.world);
    this.#chains = new Chains(options.world.crypto);
  }

  /** Reads the document anew. */
  async load(): Promise<void> {
    const { store, world, bus, key } = this.#o;
    const row = await store.one<{ body: string }>("SELECT body FROM outside_setting WHERE name = 'identity'");
    const read = row === undefined ? {} : (JSON.parse(row.body) as IdentityRow);
    this.#facts = await this.#read(read.chain);
    this.#row = read;
    this.#certificates.forget();
    const own = read.key === undefined ? undefined : unseal(world.crypto, key, CONTEXT, read.key);
    this.#signer = own === undefined || read.x5u === undefined ? undefined : { x5u: read.x5u, key: own };
    if (this.#alarmed && this.#signer !== undefined) {
      this.#alarmed = false;
      void bus.request('alarm.clear', { cause: UNSIGNED }, SELF).catch(() => undefined);
    }
  }

  /** The ways of a call, each with our signature where its trunk wants one. */
  async signed(ways: readonly TrunkWay[], call: OutgoingCall): Promise<TrunkWay[]> {
    if (!ways.some(wantsSignature)) return [...ways];
    const signer = this.#signer;
    const why = whyNot(this.#row, this.#facts, call.wall);
    if (signer === undefined || why !== undefined) {
      this.#alarm(why);
      return [...ways];
    }
    const tools = { crypto: this.#o.world.crypto, secret: this.#o.key };
    return Promise.all(ways.map((way) => (wantsSignature(way) ? signedWay(way, call, signer, tools) : way)));
  }

  /** What the signature of a call that came in is worth. */
  async verify(trunk: string, message: SipMessage, { caller, called }: Arrival): Promise<Verdict> {
    const { crypto, clock, log } = this.#o.world;
    const { hosts = [], webAuthorities, authorities = '' } = this.#row;
    const date = Date.parse(message.header('Date') ?? '');
    const repositories = { hosts, ...(webAuthorities === undefined ? {} : { webAuthorities }) };
    const call = {
      ...{ values: message.headerAll('Identity'), caller: caller.number, called },
      now: Math.floor(clock.wall() / 1000),
      ...(Number.isNaN(date) ? {} : { date: date / 1000 }),
    };
    const verdict = await verifyCaller(call, message.callId, {
      ...{ crypto: { readChain: this.#chains.readChain, verify: crypto.verify }, authorities, replays: this.#replays },
      certificates: (x5u) => this.#certificates.at(x5u, repositories),
    });
    const { fault, why } = verdict;
    if (fault !== undefined) log.info('softswitch.caller-unproven', { trunk, fault, why });
    return verdict;
  }

  handlers(): Pick<Handlers<'softswitch'>, Verbs> {
    return {
      'identity.get': async () => ok(this.#shown()),
      'identity.set': (request) => this.#turns.run(CONTEXT, () => this.#set(request)),
      'identity.key.create': (request, asked) => this.#turns.run(CONTEXT, () => this.#create(request, asked)),
    };
  }

  async #create(request: VerbRequest<'identity.key.create'>, asked: Context): Promise<Outcome<'identity.key.create'>> {
    const { world, store, key } = this.#o;
    const before = await repeated<'identity.key.create'>(store, asked);
    if (before !== undefined) return before;
    const numbers = (request.numbers ?? []).map(readEntry);
    const read = numbers.flatMap((entry) => entry ?? []);
    if (read.length < numbers.length) {
      return err(fault('bad_request', 'A range goes from a number to a higher one.', { pointer: '/numbers' }));
    }
    const made = await world.crypto.createKey();
    const outcome = ok<VerbReply<'identity.key.create'>>({
      request: await world.crypto.createRequest(made, request.subject, read),
    });
    const pending = seal(world, key, CONTEXT, made.privateKey);
    await this.#keep({ ...this.#row, pending }, remember<'identity.key.create'>(asked, outcome, world.clock.wall()));
    return outcome;
  }

  async #set({ key: given, ...settings }: VerbRequest<'identity.set'>) {
    const { chain, authorities } = settings;
    const facts = await this.#read(chain);
    if (chain !== undefined && facts === undefined) {
      const text =
        'This is no chain of certificates in its time, the signer of P-256 first and each issued by the next.';
      return err(fault('bad_request', text, { pointer: '/chain' }));
    }
    if (authorities !== undefined && !authorities.includes('-----BEGIN CERTIFICATE-----')) {
      return err(fault('bad_request', 'These are no certificates, PEM.', { pointer: '/authorities' }));
    }
    const keys = await this.#keyFor(facts, given);
    if (keys === undefined) {
      return err(fault('bad_request', 'No key that is kept or given is the certificate’s.', { pointer: '/key' }));
    }
    await this.#keep({ ...settings, ...keys });
    return ok(this.#shown());
  }

  /** The key of that certificate, sealed: the one given, the one asked for, or the one that signs already; undefined where none is. */
  async #keyFor(
    facts: ChainFacts | undefined,
    given: string | undefined,
  ): Promise<Pick<IdentityRow, 'key' | 'pending'> | undefined> {
    const { world, key: secret } = this.#o;
    const { key, pending } = this.#row;
    const kept = { ...(key === undefined ? {} : { key }), ...(pending === undefined ? {} : { pending }) };
    if (facts === undefined) return given === undefined ? kept : undefined;
    const isIts = async (text: string | undefined) =>
      text !== undefined && (await fits(world.crypto, text, facts.publicKey));
    const open = (sealed: string | undefined) =>
      sealed === undefined ? undefined : unseal(world.crypto, secret, CONTEXT, sealed);
    if (given !== undefined) {
      return (await isIts(given)) ? { ...kept, key: seal(world, secret, CONTEXT, given) } : undefined;
    }
    if (pending !== undefined && (await isIts(open(pending)))) return { key: pending };
    return (await isIts(open(key))) ? kept : undefined;
  }

  /** A chain by itself: whoever believes it is the other side's affair. */
  async #read(chain: string | undefined): Promise<ChainFacts | undefined> {
    const { crypto, clock } = this.#o.world;
    return chain === undefined ? undefined : crypto.readChain(chain, chain, clock.wall());
  }

  async #keep(row: IdentityRow, also: Parameters<Store['commit']>[0] = []): Promise<void> {
    const { store, bus, world } = this.#o;
    const put = 'INSERT INTO outside_setting (name, body, changed_at) VALUES (?, ?, ?)';
    const again = 'ON CONFLICT (name) DO UPDATE SET body = excluded.body, changed_at = excluded.changed_at';
    const written = sql(`${put} ${again}`, 'identity', JSON.stringify(row), world.clock.wall());
    await store.commit([written, ...also]);
    await this.load();
    bus.publish('trunks.changed', {});
  }

  #shown(): VerbReply<'identity.get'> {
    return shown(this.#row, this.#facts, this.#o.world.clock.wall());
  }

  #alarm(why = 'The key does not open.'): void {
    if (this.#alarmed) return;
    this.#alarmed = true;
    const text = `A trunk wants callers signed, and nothing is: ${why}`;
    const raise = { severity: 'major' as const, cause: UNSIGNED, text };
    void this.#o.bus.request('alarm.raise', raise, SELF).catch(() => undefined);
  }
}

const wantsSignature = ({ trunk }: TrunkWay): boolean => trunk.settings.identity?.out === 'sign';
