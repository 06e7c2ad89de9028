/** The sound of one call: its RTP, and the session descriptions that go with it. */
import type { Address, World } from '#shared/kernel/world.ts';
import { type FrameSource, RtpPeer } from '#shared/media-engine/rtp-peer.ts';
import { makeAnswer, makeOffer, readRemote } from '../sip/offer-answer.ts';
import type { Direction } from '../sip/sdp.ts';

/** Sound that is made and taken while the call lives: frames of 20 ms, 160 samples of 8 kHz, 16 bit. */
export interface AudioPort {
  /** Fills a frame that is to be sent; where it gives false, silence goes out. */
  readonly send: FrameSource;
  /** Takes what came, in order and evenly; a gap is concealed. */
  heard(frame: Int16Array): void;
}

export class AudioMedia {
  readonly #rtp: RtpPeer;
  readonly #host: string;
  readonly #sessionId: number;
  #version = 0;

  private constructor(rtp: RtpPeer, host: string, sessionId: number) {
    this.#rtp = rtp;
    this.#host = host;
    this.#sessionId = sessionId;
  }

  /** Takes a port for RTP on that address. Rejects with a NetError. */
  static async open(world: World, host: string): Promise<AudioMedia> {
    const rtp = await RtpPeer.open(world, host);
    return new AudioMedia(rtp, host, Math.floor(world.random.fraction() * 1e9));
  }

  /** Where RTP is taken. */
  get local(): Address {
    return { host: this.#host, port: this.#rtp.local.port };
  }

  /** Packets that came. */
  get received(): number {
    return this.#rtp.received;
  }

  get digits(): string {
    return this.#rtp.digits;
  }

  /** Our next description, as an offer. */
  offer(direction: Direction = 'sendrecv'): string {
    return makeOffer({ ...this.#next(), direction });
  }

  /** Our answer to an offer, or a new offer where there was none; undefined where no codec is shared. */
  describe(offer: string | undefined): string | undefined {
    return offer === undefined ? this.offer() : makeAnswer(offer, this.#next());
  }

  /** Talks to where the other side's description says. */
  agree(sdp: string): void {
    const remote = readRemote(sdp);
    if (remote === undefined) return;
    this.#rtp.target = remote.receives ? remote.address : undefined;
    this.#rtp.codec = remote.codec;
    this.#rtp.eventType = remote.eventType;
    this.#rtp.begin();
  }

  play(samples: Int16Array, loop: boolean): void {
    this.#rtp.play(samples, loop);
  }

  connect(port: AudioPort): void {
    this.#rtp.bridge(port.send, (frame) => port.heard(frame));
  }

  heard(): Int16Array {
    return this.#rtp.heard();
  }

  /** False where the other side takes no telephone events. */
  press(digits: string): boolean {
    const { eventType } = this.#rtp;
    if (eventType === undefined) return false;
    for (const digit of digits) this.#rtp.press(digit, eventType);
    return true;
  }

  close(): Promise<void> {
    return this.#rtp.close();
  }

  #next() {
    this.#version++;
    return { address: this.local, sessionId: this.#sessionId, version: this.#version };
  }
}
