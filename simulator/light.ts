/** A fleet of light gateways: provisioned before the cloud starts, then connected, kept alive and made to report. */
import { type Store, sql } from '#cloud/store/store.ts';
import { hex, utf8 } from '#shared/kernel/bytes.ts';
import { every, sleep } from '#shared/kernel/time.ts';
import type { Address, World } from '#shared/kernel/world.ts';
import { KEEPALIVE, LightGateway, type LightIdentity } from './light-gateway.ts';

/** Gateways that share a home, and rows of one commit. */
const PER_HOME = 16;
const CHUNK = 500;
/** Gateways that connect at once: they share one processor here, as they do not in life, and would time each other out. */
const AT_ONCE = 300;
const YEAR = 365 * 86_400_000;

export interface Authority {
  readonly certificate: string;
  readonly key: string;
}

/** Makes certificates for so many gateways, and the rows that the cloud keeps of paired ones. */
export async function provision(
  world: World,
  store: Store,
  authority: Authority,
  count: number,
): Promise<LightIdentity[]> {
  const identities: LightIdentity[] = [];
  const wall = Math.floor(world.clock.wall());
  for (let start = 0; start < count; start += CHUNK) {
    const rows = [];
    for (let i = start; i < Math.min(start + CHUNK, count); i++) {
      const gateway = `gw_light${i}`;
      const home = `home_light${Math.floor(i / PER_HOME)}`;
      const key = await world.crypto.createKey();
      const certificate = await world.crypto.issue({
        subject: gateway,
        publicKey: key.publicKey,
        issuer: authority.certificate,
        signer: authority.key,
        notBefore: wall - YEAR,
        notAfter: wall + YEAR,
        use: 'client',
      });
      const serial = (await world.crypto.readCertificate(certificate))?.serial ?? '';
      if (i % PER_HOME === 0) rows.push(...homeRows(home, wall));
      rows.push(
        sql(
          `INSERT INTO gateway (id, home, key_hash, state, stage, profile, certificate_serial, claimed_at, paired_at)
           VALUES (?, ?, ?, 'paired', 'done', 'residential-gateway', ?, ?, ?)`,
          gateway,
          home,
          hex(world.crypto.hash('sha256', utf8(gateway))),
          serial,
          wall,
          wall,
        ),
      );
      identities.push({ gateway, certificate, key: key.privateKey });
    }
    const done = await store.commit(rows);
    if (!done.ok) throw new Error('the fleet could not be provisioned');
  }
  return identities;
}

function homeRows(home: string, wall: number) {
  const desired = 'INSERT INTO desired (home, doc, version, body) VALUES (?, ?, 1, ?)';
  const system = { home, homeName: home, reportEvery: 60_000 };
  return [
    sql('INSERT INTO home (id, name, created_at) VALUES (?, ?, ?)', home, home, wall),
    sql(desired, home, 'system', JSON.stringify(system)),
    // The cloud writes the addresses of now into it at the first hello.
    sql(desired, home, 'voice', '{}'),
  ];
}

export interface FleetOptions {
  readonly world: World;
  readonly identities: readonly LightIdentity[];
  readonly ca: string;
  cloud(): Address;
  /** How long a gateway took to connect, ms. */
  readonly connected: (ms: number) => void;
}

/** Lets so many through at once; the others wait in line. */
function turns(limit: number): () => Promise<() => void> {
  const waiting: (() => void)[] = [];
  let free = limit;
  const leave = () => {
    const next = waiting.shift();
    if (next === undefined) free++;
    else next();
  };
  return async () => {
    if (free > 0) free--;
    else await new Promise<void>((resolve) => waiting.push(resolve));
    let inside = true;
    return () => {
      if (inside) leave();
      inside = false;
    };
  };
}

export class Fleet {
  readonly #world: World;
  readonly #gateways: LightGateway[];
  readonly #stopPings: () => void;
  #ready = 0;
  /** Times that a gateway was cut off. */
  cuts = 0;

  constructor({ world, identities, ca, cloud, connected }: FleetOptions) {
    this.#world = world;
    const changed = (_gateway: LightGateway, ready: boolean, ms: number) => {
      this.#ready += ready ? 1 : -1;
      if (ready) connected(ms);
      else this.cuts++;
    };
    const turn = turns(AT_ONCE);
    this.#gateways = identities.map((identity) => new LightGateway({ world, ca, cloud, turn, changed }, identity));
    // The fleet's signs of life are spread over the whole period.
    let second = 0;
    const period = KEEPALIVE / 2;
    this.#stopPings = every(world.clock, 1000, () => {
      second = (second + 1) % period;
      for (let i = second; i < this.#gateways.length; i += period) this.#gateways[i]?.ping();
    });
  }

  get size(): number {
    return this.#gateways.length;
  }

  /** How many are connected and greeted now. */
  get ready(): number {
    return this.#ready;
  }

  /** Starts them all. */
  async start(): Promise<void> {
    await Promise.all(this.#gateways.map((gateway) => gateway.connect()));
  }

  /** Lets so many gateways send one message after another for a while; gives messages per second, each answered. */
  async flood(kind: 'reports' | 'telemetry', senders: number, ms: number): Promise<number> {
    const { clock } = this.#world;
    const end = clock.mono() + ms;
    let count = 0;
    const send = async (gateway: LightGateway) => {
      while (clock.mono() < end && gateway.ready) {
        const body = { uptime: Math.floor(clock.mono()), load: 0.1 };
        await (kind === 'reports' ? gateway.report('light', body) : gateway.tele(body));
        count++;
      }
    };
    const began = clock.mono();
    const all = Promise.all(
      this.#gateways
        .filter(({ ready }) => ready)
        .slice(0, senders)
        .map(send),
    );
    await Promise.race([all, sleep(clock, 2 * ms)]);
    return (count * 1000) / Math.max(1, clock.mono() - began);
  }

  stop(): void {
    this.#stopPings();
    for (const gateway of this.#gateways) gateway.stop();
  }
}
