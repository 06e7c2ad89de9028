/**
 * A cloud half that runs elsewhere: every fact is posted to its address, signed by Standard Webhooks with the application's secret. A
 * fact that is not taken (2xx) stays in the store and is posted again, ever more slowly, with the same `webhook-id`.
 */
import { type Store, sql } from '#cloud/store/store.ts';
import { NetError, type Timer, type World } from '#shared/kernel/world.ts';
import { isPublicAddress } from '../events/address.ts';
import { newSecret, signedHeaders } from '../events/signature.ts';
import type { Half, HalfFacts } from './half.ts';

/** Milliseconds that the other side may take, and octets of its answer that are read. */
const ANSWER_WITHIN = 10_000;
const ANSWER_LIMIT = 4096;
/** Pause after the first failure, ms; twice as long after each, up to the most. */
const PAUSE = 1_000;
const PAUSE_MOST = 300_000;

/** The secret of an application's webhook; made when it is first asked for. */
export async function webhookSecret(store: Store, world: Pick<World, 'random'>, app: string): Promise<string> {
  const name = `webhook ${app}`;
  const find = 'SELECT value FROM e_center_secret WHERE name = ?';
  const known = await store.one<{ value: string }>(find, [name]);
  if (known !== undefined) return known.value;
  await store.commit([
    sql(
      'INSERT INTO e_center_secret (name, value, public) VALUES (?, ?, NULL) ON CONFLICT (name) DO NOTHING',
      name,
      newSecret(world),
    ),
  ]);
  return (await store.one<{ value: string }>(find, [name]))?.value ?? '';
}

export interface WebhookOptions {
  readonly world: World;
  readonly facts: HalfFacts;
  readonly url: string;
  readonly secret: string;
  /** The operator allows addresses that are not public. */
  readonly anyAddress: boolean;
  readonly half: () => Half | undefined;
}

export class WebhookHalf {
  readonly #o: WebhookOptions;
  #pause = PAUSE;
  #timer: Timer | undefined;
  #stopped = false;
  /** Why it gets nothing now. */
  why: string | undefined;

  constructor(options: WebhookOptions) {
    this.#o = options;
  }

  /** Posts a fact; what fails is posted again. */
  send(message: { readonly n: number }, key: string): boolean {
    void this.#post(message, key);
    return true;
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
  }

  async #post({ n, ...fact }: { readonly n: number }, key: string): Promise<void> {
    const failed = await this.#try(key, fact);
    if (this.#stopped) return;
    if (failed === undefined) {
      this.#pause = PAUSE;
      this.why = undefined;
      this.#o.half()?.courier.done(n);
    } else this.#rest(failed);
  }

  /** Undefined where the other side has taken it. */
  async #try(key: string, fact: object): Promise<string | undefined> {
    const { world, facts, url, secret, anyAddress } = this.#o;
    const { install, home, app, version } = facts;
    const body = JSON.stringify({ install, home, app, version, ...fact });
    const headers = signedHeaders(world, secret, {
      id: `${install}.${key.replaceAll(' ', '.')}`,
      at: world.clock.wall(),
      body,
    });
    try {
      const reply = await world.http.request({
        method: 'POST',
        url,
        headers: { 'content-type': 'application/json', ...headers },
        body,
        timeout: ANSWER_WITHIN,
        limit: ANSWER_LIMIT,
        cut: true,
        allow: (address) => anyAddress || isPublicAddress(address),
      });
      return reply.status >= 200 && reply.status < 300 ? undefined : `it answered ${reply.status}`;
    } catch (error) {
      if (error instanceof NetError) return `${error.code}: ${error.message}`;
      throw error;
    }
  }

  /** All that is on its way is given back, and given again after a pause. */
  #rest(why: string): void {
    this.why = why;
    if (this.#timer !== undefined) return;
    const { clock } = this.#o.world;
    this.#o.half()?.ended(false);
    this.#timer = clock.at(clock.mono() + this.#pause, () => {
      this.#timer = undefined;
      this.#o.half()?.started();
    });
    this.#pause = Math.min(PAUSE_MOST, this.#pause * 2);
  }
}
