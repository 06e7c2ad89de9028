/**
 * JsSIP as it runs in a browser, here without one: its WebSocket is the library `ws`, and in place of a browser's RTP stands a
 * connection that only describes one.
 */
import { createRequire } from 'node:module';
import { WebSocket } from 'ws';
import { DescribedPeer } from './described-peer.ts';

/** As much of JsSIP as the tests use. */
export interface BrowserSession {
  readonly direction: 'incoming' | 'outgoing';
  readonly remote_identity: { readonly uri: { readonly user: string } };
  answer(options: object): void;
  terminate(options?: object): void;
  hold(): boolean;
  sendDTMF(tones: string, options?: object): void;
  refer(target: string, options?: object): void;
  isEstablished(): boolean;
  isEnded(): boolean;
  on(event: string, run: (data: Readonly<Record<string, unknown>>) => void): void;
}

interface Subscriber {
  subscribe(): void;
  terminate(): void;
  on(event: string, run: (...data: readonly unknown[]) => void): void;
}

/** What the page was told of what it watches. */
export class Lamp {
  readonly bodies: string[] = [];
  ended = false;
  readonly #subscriber: Subscriber;

  constructor(subscriber: Subscriber) {
    this.#subscriber = subscriber;
    subscriber.on('notify', (_final, _request, body) => this.bodies.push(String(body)));
    subscriber.on('terminated', () => {
      this.ended = true;
    });
    subscriber.subscribe();
  }

  /** The state of the first dialog in each document. */
  states(): string[] {
    return this.bodies.map((body) => /<state>(\w+)</.exec(body)?.[1] ?? 'none');
  }

  end(): void {
    this.#subscriber.terminate();
  }
}

interface UserAgent {
  start(): void;
  stop(): void;
  call(target: string, options: object): BrowserSession;
  subscribe(target: string, event: string, accept: string, options: object): Subscriber;
  isRegistered(): boolean;
  on(event: string, run: (data: Readonly<Record<string, unknown>>) => void): void;
}

interface JsSipLibrary {
  readonly UA: new (configuration: object) => UserAgent;
}

/** JsSIP's socket interface over `ws`, which takes the operator's authority. */
class Socket {
  readonly url: string;
  readonly via_transport: string;
  readonly sip_uri: string;
  onconnect: () => void = () => {};
  ondisconnect: (error: boolean, code?: number, reason?: string) => void = () => {};
  ondata: (data: string) => void = () => {};
  readonly wire: string[] = [];
  readonly #ca: string;
  #socket: WebSocket | undefined;

  constructor(url: string, ca: string) {
    const { protocol, host } = new URL(url);
    this.url = url;
    this.#ca = ca;
    this.via_transport = protocol === 'wss:' ? 'WSS' : 'WS';
    this.sip_uri = `sip:${host};transport=ws`;
  }

  connect(): void {
    const socket = new WebSocket(this.url, 'sip', { ca: this.#ca, origin: 'https://localhost:8443' });
    this.#socket = socket;
    socket.on('open', () => this.onconnect());
    socket.on('close', (code, reason) => this.ondisconnect(code !== 1000, code, String(reason)));
    socket.on('error', () => {});
    socket.on('message', (data) => {
      this.wire.push(`< ${String(data)}`);
      this.ondata(String(data));
    });
  }

  disconnect(): void {
    this.#socket?.close(1000);
  }

  send(message: string): boolean {
    this.wire.push(`> ${message}`);
    this.#socket?.send(message);
    return this.#socket !== undefined;
  }

  /** Cuts the connection without a word, as a lost network does. */
  cut(): void {
    this.#socket?.terminate();
  }
}

export class BrowserPhone {
  readonly ua: UserAgent;
  readonly socket: Socket;
  readonly sessions: BrowserSession[] = [];

  constructor(options: {
    readonly url: string;
    readonly ca: string;
    readonly uri: string;
    readonly password: string;
    /** `UDP/TLS/RTP/SAVPF` is what a real browser speaks. */
    readonly profile?: string;
  }) {
    DescribedPeer.profile = options.profile ?? 'RTP/AVP';
    Object.assign(globalThis, {
      window: globalThis,
      RTCPeerConnection: DescribedPeer,
      RTCSessionDescription: class {
        constructor(description: object) {
          Object.assign(this, description);
        }
      },
    });
    const { UA } = createRequire(import.meta.url)('jssip') as JsSipLibrary;
    this.socket = new Socket(options.url, options.ca);
    const { uri, password } = options;
    this.ua = new UA({ sockets: [this.socket], uri, password, register: true, session_timers: true });
    this.ua.on('newRTCSession', (data) => this.sessions.push(data.session as BrowserSession));
  }

  start(): void {
    this.ua.start();
  }

  call(target: string): BrowserSession {
    return this.ua.call(target, { mediaConstraints: { audio: false, video: false } });
  }

  watch(target: string, event: string, accept: string): Lamp {
    return new Lamp(this.ua.subscribe(target, event, accept, { expires: 300 }));
  }

  stop(): void {
    this.ua.stop();
  }
}
