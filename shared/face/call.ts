/** A call as the user of the stack has it: it rings, is answered, held and hung up, and has sound. */
import { err, ok, type Result } from '#shared/kernel/result.ts';
import { sleep } from '#shared/kernel/time.ts';
import type { Address, Clock } from '#shared/kernel/world.ts';
import type { SipMessage } from '../sip/message.ts';
import type { CallHandle, EndpointOutput, SipEndpoint } from '../sip/types.ts';
import type { AudioMedia, AudioPort } from './audio-media.ts';
import { type Trouble, trouble, troubleOf } from './trouble.ts';

/** `calling`: an INVITE is out. `early`: it rings, here or there. `confirmed`: answered. `disconnected`: over. */
export type CallState = 'calling' | 'early' | 'confirmed' | 'disconnected';

/** How a call came to its end. */
export interface Ending {
  /** `us`: by `hangup`; `them`: BYE or CANCEL; `failed`: it was never answered, or broke. */
  readonly by: 'us' | 'them' | 'failed';
  readonly trouble?: Trouble;
}

/** What a call needs of its endpoint. */
export interface CallPort {
  readonly clock: Clock;
  act<T>(run: (endpoint: SipEndpoint, now: number, out: EndpointOutput[]) => T): T;
  /** The call is over. */
  forget(call: Call): void;
}

export interface CallFacts {
  readonly outgoing: boolean;
  /** Our Contact in this call. */
  readonly contact: string;
  /** The other side: the URI that was called, or the one in From. */
  readonly remote: string;
  /** The URI that was asked for. */
  readonly called: string;
  /** From where its signalling comes. */
  readonly peer: Address;
  readonly offer?: string;
}

type Heard = Extract<EndpointOutput, { call: CallHandle }>;

/** Milliseconds from one digit to the next. */
const DIGIT = 200;

export class Call {
  readonly outgoing: boolean;
  readonly remote: string;
  readonly called: string;
  readonly peer: Address;
  /** Called after every change of `state`. */
  onState: (call: Call) => void = () => {};
  /** Provisional statuses that came, in order. */
  readonly progress: number[] = [];
  handle: CallHandle = '';
  readonly #port: CallPort;
  readonly #audio: AudioMedia;
  readonly #contact: string;
  readonly #offer: string | undefined;
  readonly #answered = Promise.withResolvers<Result<Call, Trouble>>();
  readonly #ended = Promise.withResolvers<Ending>();
  readonly #asked: ((done: Result<Call, Trouble>) => void)[] = [];
  #state: CallState = 'calling';

  constructor(port: CallPort, audio: AudioMedia, facts: CallFacts) {
    this.#port = port;
    this.#audio = audio;
    this.outgoing = facts.outgoing;
    this.remote = facts.remote;
    this.called = facts.called;
    this.peer = facts.peer;
    this.#contact = facts.contact;
    this.#offer = facts.offer;
    if (!facts.outgoing) this.#state = 'early';
  }

  get state(): CallState {
    return this.#state;
  }

  /** Resolves once the call is answered, or cannot be any more. */
  answered(): Promise<Result<Call, Trouble>> {
    return this.#answered.promise;
  }

  /** Resolves once the call is over. */
  ended(): Promise<Ending> {
    return this.#ended.promise;
  }

  /** Lets the caller hear that it rings (180). */
  ring(): void {
    if (this.outgoing || this.#state !== 'early') return;
    this.#port.act((endpoint, now, out) => endpoint.progress(this.handle, 180, { contact: this.#contact }, now, out));
  }

  /** Takes a call that came in; `no_codec` where the two sides share none (the caller is told so, too). */
  answer(): Result<Call, Trouble> {
    if (this.outgoing || this.#state !== 'early') return err(trouble('refused', 'There is no call to be answered.'));
    const sdp = this.#audio.describe(this.#offer);
    if (sdp === undefined) {
      this.hangup(488);
      return err(troubleOf(488));
    }
    this.#port.act((endpoint, now, out) => endpoint.answer(this.handle, { sdp, contact: this.#contact }, now, out));
    if (this.#offer !== undefined) this.#audio.agree(this.#offer);
    this.#confirm();
    return ok(this);
  }

  /** Ends the call, whatever its state; `status` refuses one that came in and was not answered. */
  hangup(status = 603): void {
    if (this.#state === 'disconnected') return;
    this.#port.act((endpoint, now, out) => {
      if (!this.outgoing && this.#state === 'early') endpoint.reject(this.handle, status, {}, now, out);
      else endpoint.hangup(this.handle, '', now, out);
    });
    this.#end({ by: 'us' }, trouble('cancelled'));
  }

  /** Puts the other side on hold, or takes it back; resolves with what it said. */
  setHold(on: boolean): Promise<Result<Call, Trouble>> {
    if (this.#state !== 'confirmed') return Promise.resolve(err(trouble('refused', 'The call is not up.')));
    const asked = Promise.withResolvers<Result<Call, Trouble>>();
    this.#asked.push(asked.resolve);
    const sdp = this.#audio.offer(on ? 'sendonly' : 'sendrecv');
    this.#port.act((endpoint, now, out) => endpoint.reoffer(this.handle, sdp, now, out));
    return asked.promise;
  }

  /** Sends digits as telephone events (RFC 4733); refused where the other side takes none. */
  async dialDtmf(digits: string): Promise<Result<Call, Trouble>> {
    for (const digit of digits) {
      if (!this.#audio.press(digit)) return err(trouble('refused', 'The other side takes no telephone events.'));
      await sleep(this.#port.clock, DIGIT);
    }
    return ok(this);
  }

  /** Says those samples (8 kHz, 16 bit), then silence; with `loop` again and again. */
  play(samples: Int16Array, loop = false): void {
    this.#audio.play(samples, loop);
  }

  /** Sound made and taken while the call lives. */
  connect(port: AudioPort): void {
    this.#audio.connect(port);
  }

  /** What was heard so far, at most five minutes, 8 kHz. */
  heard(): Int16Array {
    return this.#audio.heard();
  }

  /** Digits that the other side sent. */
  get digits(): string {
    return this.#audio.digits;
  }

  /** RTP packets that came. */
  get received(): number {
    return this.#audio.received;
  }

  /** What the stack says of this call; for the account. */
  take(output: Heard): void {
    switch (output.do) {
      case 'progress':
        this.progress.push(output.status);
        if (output.sdp !== undefined) this.#audio.agree(output.sdp);
        if (this.#state === 'calling') this.#become('early');
        return;
      case 'answered':
        if (output.sdp !== undefined) this.#audio.agree(output.sdp);
        this.#confirm();
        return;
      case 'confirmed':
        if (output.sdp !== undefined) this.#audio.agree(output.sdp);
        return;
      case 'failed':
        this.#failed(output.status, output.message);
        return;
      case 'ended':
        this.#gone(output.why);
        return;
      case 'offer':
        this.#offered(output.sdp);
        return;
      case 'reoffered':
        if (output.sdp !== undefined) this.#audio.agree(output.sdp);
        this.#asked.shift()?.(output.ok ? ok(this) : err(troubleOf(output.status)));
        return;
      default:
    }
  }

  #failed(status: number, message: SipMessage | undefined): void {
    const found = troubleOf(status, message !== undefined);
    this.#end({ by: 'failed', trouble: found }, found);
  }

  #gone(why: Extract<Heard, { do: 'ended' }>['why']): void {
    if (why === 'bye' || why === 'cancel') this.#end({ by: 'them' }, trouble('cancelled'));
    else this.#end({ by: 'failed', trouble: trouble('broken') }, trouble('broken'));
  }

  #offered(sdp: string | undefined): void {
    const answer = this.#audio.describe(sdp);
    this.#port.act((endpoint, now, out) => {
      if (answer === undefined) endpoint.refuseOffer(this.handle, 488, now, out);
      else endpoint.acceptOffer(this.handle, answer, now, out);
    });
    if (answer !== undefined && sdp !== undefined) this.#audio.agree(sdp);
  }

  #confirm(): void {
    this.#become('confirmed');
    this.#answered.resolve(ok(this));
  }

  #end(ending: Ending, unanswered: Trouble): void {
    if (this.#state === 'disconnected') return;
    this.#answered.resolve(err(unanswered));
    this.#ended.resolve(ending);
    for (const tell of this.#asked.splice(0)) tell(err(trouble('broken', 'The call is over.')));
    void this.#audio.close();
    this.#port.forget(this);
    this.#become('disconnected');
  }

  #become(state: CallState): void {
    this.#state = state;
    this.onState(this);
  }
}
