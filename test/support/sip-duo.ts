import { DeadlineHeap } from '#shared/kernel/heap.ts';
import { NEVER } from '#shared/kernel/machine.ts';
import { Endpoint, type EndpointOptions } from '#shared/sip/endpoint.ts';
import type { SipMessage } from '#shared/sip/message.ts';
import { parse } from '#shared/sip/parse.ts';
import type { EndpointOutput, Flow, SipProtocol } from '#shared/sip/types.ts';
import { write } from '#shared/sip/write.ts';

export type Told = Exclude<EndpointOutput, { readonly do: 'send' }>;

/** A seeded stream of octets for tests: xorshift, good enough for tags that must differ. */
export function seeded(seed: number): EndpointOptions['random'] {
  let x = (seed * 2654435761) >>> 0 || 1;
  const next = (): number => {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    x >>>= 0;
    return x;
  };
  return { bytes: (n) => Uint8Array.from({ length: n }, () => next() >>> 11), fraction: () => next() / 4294967296 };
}

/** One end of a duo: an endpoint, what it told its user and what it put on the wire. */
export class Side {
  readonly endpoint: Endpoint;
  readonly told: Told[] = [];
  readonly sent: string[] = [];
  readonly flow: Flow;
  /** Decides at once on what the endpoint tells; the default only listens. */
  decide: (output: Told, side: Side) => void = () => {};
  #duo: Duo;

  constructor(duo: Duo, flow: Flow, options: Partial<EndpointOptions>, seed: number) {
    this.#duo = duo;
    this.flow = flow;
    this.endpoint = new Endpoint({
      random: seeded(seed),
      hash: (algorithm, text) => `${algorithm}(${text.length})`,
      ...options,
    });
  }

  /** Does something with the endpoint now and carries out its outputs. */
  act<T>(run: (endpoint: Endpoint, now: number, out: EndpointOutput[]) => T): T {
    const out: EndpointOutput[] = [];
    const result = run(this.endpoint, this.#duo.now, out);
    for (const output of out) {
      if (output.do === 'send') {
        const text = write(output.message);
        this.sent.push(text);
        this.#duo.travel(this, text, output.flow);
      } else {
        this.told.push(output);
        this.decide(output, this);
      }
    }
    return result;
  }

  /** Start lines sent so far, without the version and URI. */
  get lines(): string[] {
    return this.sent.map(lineOf);
  }

  get names(): string[] {
    return this.told.map((output) => output.do);
  }

  last<K extends Told['do']>(kind: K): Extract<Told, { do: K }> {
    const found = this.told.findLast((output) => output.do === kind);
    if (!found) throw new Error(`nothing told of kind ${kind}: ${this.names.join(' ')}`);
    return found as Extract<Told, { do: K }>;
  }

  /** The last message sent whose line begins so. */
  lastSent(line: string): SipMessage {
    const text = this.sent.findLast((one) => lineOf(one).startsWith(line));
    if (text === undefined) throw new Error(`nothing sent like ${line}: ${this.lines.join(', ')}`);
    return read(text);
  }
}

export function read(text: string): SipMessage {
  const parsed = parse(text);
  if (!parsed.ok) throw new Error(`${parsed.status} ${parsed.reason}: ${text}`);
  return parsed.message;
}

/** `INVITE` or `200 INVITE`. */
export function lineOf(text: string): string {
  const message = read(text);
  return message.kind === 'request' ? message.method : `${message.status} ${message.method}`;
}

/** What a side holds once all is over. */
export const IDLE = { transactions: 0, calls: 0, waiting: 0 };

/** Two endpoints joined by a network whose time is virtual. */
export class Duo {
  now = 1000;
  readonly a: Side;
  readonly b: Side;
  /** Copies that arrive of a message, and after how many ms; default one, after 1 ms. */
  fate: (text: string, from: Side) => readonly number[] = () => [1];
  readonly #heap = new DeadlineHeap<() => void>();

  constructor(
    options: { protocol?: SipProtocol; seed?: number; a?: Partial<EndpointOptions>; b?: Partial<EndpointOptions> } = {},
  ) {
    const protocol = options.protocol ?? 'udp';
    const one = { host: '10.0.0.1', port: 5060 };
    const two = { host: '10.0.0.2', port: 5060 };
    const seed = options.seed ?? 1;
    const peer = { kind: 'none' } as const;
    this.a = new Side(this, { id: 'ab', protocol, local: one, remote: two, peer }, options.a ?? {}, seed * 2 + 1);
    this.b = new Side(this, { id: 'ba', protocol, local: two, remote: one, peer }, options.b ?? {}, seed * 2 + 2);
  }

  /** Hangs up every call there was, over a network that is whole again, and waits; what each side still holds then. */
  end(): { readonly transactions: number; readonly calls: number; readonly waiting: number }[] {
    for (const side of [this.a, this.b]) {
      for (const output of [...side.told]) {
        if ('call' in output) side.act((endpoint, now, out) => endpoint.hangup(output.call, '', now, out));
      }
    }
    this.fate = () => [1];
    this.run();
    return [this.a, this.b].map(({ endpoint }) => ({ ...endpoint.counts(), waiting: endpoint.waiting }));
  }

  travel(from: Side, text: string, flow: Flow): void {
    const to = from === this.a ? this.b : this.a;
    for (const delay of this.fate(text, from)) {
      this.#heap.add(this.now + delay, () => this.deliver(to, text, flow));
    }
  }

  deliver(to: Side, text: string, _flow?: Flow): void {
    to.act((endpoint, now, out) => endpoint.receive(text, to.flow, now, out));
  }

  at(delay: number, run: () => void): void {
    this.#heap.add(this.now + delay, run);
  }

  /** Lets `ms` pass; by default until nothing is left to do. */
  run(ms = NEVER): void {
    const end = this.now + ms;
    for (;;) {
      const due = Math.min(this.a.endpoint.due(), this.b.endpoint.due(), this.#heap.peek()?.deadline ?? NEVER);
      if (due > end || due === NEVER) break;
      this.now = Math.max(this.now, due);
      this.#heap.next(this.now)?.value();
      for (const side of [this.a, this.b]) {
        if (side.endpoint.due() <= this.now) side.act((endpoint, now, out) => endpoint.tick(now, out));
      }
    }
    if (ms !== NEVER) this.now = end;
  }

  /** a calls b. */
  call(more: Partial<Parameters<Endpoint['invite']>[0]> = { sdp: 'offer' }): string {
    return this.a.act((endpoint, now, out) =>
      endpoint.invite(
        {
          uri: 'sip:b@example.com',
          from: '"A" <sip:a@example.com>',
          to: '<sip:b@example.com>',
          flow: this.a.flow,
          contact: 'sip:a@10.0.0.1:5060',
          ...more,
        },
        now,
        out,
      ),
    );
  }
}

/** Rings and answers every call, accepts every offer, answers other requests with 200. */
export function obliging(output: Told, side: Side): void {
  side.act((endpoint, now, out) => {
    switch (output.do) {
      case 'incoming':
        endpoint.progress(output.call, 180, {}, now, out);
        endpoint.answer(output.call, { sdp: 'answer', contact: 'sip:b@10.0.0.2:5060' }, now, out);
        return;
      case 'offer':
        endpoint.acceptOffer(output.call, 'counter', now, out);
        return;
      case 'request':
      case 'in-dialog':
        endpoint.reply(output.transaction, 200, {}, now, out);
    }
  });
}
