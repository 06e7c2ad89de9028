/** What runs in the browser's page: JsSIP over the browser's own WebSocket, as `globalThis.phone` for the test that looks at it. */
import JsSIP from 'jssip';
import { DescribedPeer } from './described-peer.ts';

interface Session {
  answer(options: object): void;
  terminate(): void;
  isEstablished(): boolean;
  isEnded(): boolean;
  on(event: string, run: (data: { readonly message?: { readonly status_code?: number } }) => void): void;
}

interface UserAgent {
  start(): void;
  stop(): void;
  isRegistered(): boolean;
  call(target: string, options: object): Session;
  on(event: string, run: (data: { readonly session: Session }) => void): void;
}

const { UA, WebSocketInterface } = JsSIP as unknown as {
  readonly UA: new (configuration: object) => UserAgent;
  readonly WebSocketInterface: new (url: string) => object;
};

export class PagePhone {
  readonly #ua: UserAgent;
  readonly #media: object;
  readonly #sessions: Session[] = [];
  readonly statuses: number[] = [];

  /** With `described` its sound is only described; else the browser's own connection offers what that has. */
  constructor(options: {
    readonly url: string;
    readonly uri: string;
    readonly password: string;
    readonly described: boolean;
  }) {
    const { url, uri, password, described } = options;
    if (described) Object.assign(globalThis, { RTCPeerConnection: DescribedPeer });
    this.#media = { mediaConstraints: { audio: !described, video: false } };
    this.#ua = new UA({ sockets: [new WebSocketInterface(url)], uri, password, register: true });
    this.#ua.on('newRTCSession', ({ session }) => {
      this.#sessions.push(session);
      session.on('failed', ({ message }) => this.statuses.push(message?.status_code ?? 0));
    });
    this.#ua.start();
  }

  get registered(): boolean {
    return this.#ua.isRegistered();
  }

  /** How its calls stand, in order. */
  get calls(): string[] {
    return this.#sessions.map((one) => (one.isEnded() ? 'ended' : one.isEstablished() ? 'up' : 'ringing'));
  }

  call(target: string): void {
    this.#ua.call(target, this.#media);
  }

  answer(): void {
    this.#sessions.at(-1)?.answer(this.#media);
  }

  hangup(): void {
    this.#sessions.at(-1)?.terminate();
  }

  stop(): void {
    this.#ua.stop();
  }
}

Object.assign(globalThis, { PagePhone });
