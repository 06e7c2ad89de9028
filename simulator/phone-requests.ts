/** What a phone asks outside and inside its calls, with who waits for the answers; and its registration, kept up. */
import { hex } from '#shared/kernel/bytes.ts';
import type { Timer, World } from '#shared/kernel/world.ts';
import { newRequest, type SipMessage } from '#shared/sip/message.ts';
import type { EndpointOutput, TransactionHandle } from '#shared/sip/types.ts';
import type { PhoneOptions } from './phone-options.ts';

/** Seconds of a registration. */
const EXPIRES = 300;

/** Puts a request on its way. */
type Send = (now: number, out: EndpointOutput[]) => TransactionHandle;

export interface PhoneRequestsOptions {
  readonly world: Pick<World, 'clock' | 'random'>;
  readonly phone: Pick<PhoneOptions, 'domain' | 'instance' | 'flowNumber'>;
  /** The phone's own address, and where it is reached now. */
  own(): string;
  contact(): string;
  act(run: (now: number, out: EndpointOutput[]) => void): void;
  /** Sends a request over the phone's flow, with its credentials. */
  send(request: SipMessage, now: number, out: EndpointOutput[]): TransactionHandle;
}

export class PhoneRequests {
  readonly #o: PhoneRequestsOptions;
  #id = '';
  #seq = 0;
  #refresh: Timer | undefined;
  /** Who waits for the final status of a request; 0 stands for silence. */
  readonly #waiting = new Map<TransactionHandle, (status: number) => void>();
  /** The last final response. */
  lastAnswer: SipMessage | undefined;

  constructor(options: PhoneRequestsOptions) {
    this.#o = options;
  }

  /** Registers, and keeps registered; resolves with the final status (0: no answer). */
  register(expires = EXPIRES, own = this.#o.own()): Promise<number> {
    const { clock, random } = this.#o.world;
    const { domain, instance, flowNumber } = this.#o.phone;
    const named = instance === undefined ? '' : `;+sip.instance="<${instance}>"`;
    if (this.#id === '') this.#id = hex(random.bytes(8));
    // A challenge takes a number of its own.
    this.#seq += 2;
    const request = newRequest('REGISTER', `sip:${domain}`, [
      ['From', own],
      ['To', own],
      ['Call-ID', this.#id],
      ['CSeq', `${this.#seq} REGISTER`],
      ['Contact', `<${this.#o.contact()}>${named}${flowNumber === undefined ? '' : `;reg-id=${flowNumber}`}`],
      ...(flowNumber === undefined ? [] : [['Supported', 'path, outbound'] as const]),
      ['Expires', String(expires)],
    ]);
    this.stop();
    if (expires > 0) this.#refresh = clock.at(clock.mono() + expires * 500, () => void this.register(expires));
    return this.send(request);
  }

  /** Sends a request outside calls; resolves with the final status (0: no answer). */
  send(request: SipMessage): Promise<number> {
    return this.wait((now, out) => this.#o.send(request, now, out));
  }

  /** Resolves with the final status of what is sent. */
  wait(send: Send): Promise<number> {
    return new Promise((resolve) => {
      // Known before anything can be heard of it.
      this.#o.act((now, out) => void this.#waiting.set(send(now, out), resolve));
    });
  }

  responded(transaction: TransactionHandle, message: SipMessage): void {
    if (message.method === 'REGISTER') this.#seq = Math.max(this.#seq, message.cseq.n);
    if (message.status < 200) return;
    this.lastAnswer = message;
    this.settle(transaction, message.status);
  }

  /** A request is over; 0: nobody answered. */
  settle(transaction: TransactionHandle, status: number): void {
    this.#waiting.get(transaction)?.(status);
    this.#waiting.delete(transaction);
  }

  /** Registers no more by itself. */
  stop(): void {
    this.#refresh?.cancel();
  }
}
