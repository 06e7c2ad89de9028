/**
 * The world as seen by everything of ours: two clocks, randomness, network, disk, cryptography, HTTP client and log.
 * It is handed in, never taken. `shared/host` holds the real one, `simulator/` the virtual one (seeded, one thread,
 * its own time and network); the same code runs on both.
 */
export interface World {
  readonly clock: Clock;
  readonly random: Random;
  readonly net: Net;
  readonly disk: Disk;
  readonly crypto: Crypto;
  readonly http: HttpClient;
  readonly log: Log;
}

/** `mono` is for deadlines and durations, `wall` for records, certificates and durable timers. Both in milliseconds. */
export interface Clock {
  /** Monotonic milliseconds since an unnamed origin; may have a fraction. */
  mono(): number;
  /** Milliseconds since 1970-01-01T00:00Z. It may jump. */
  wall(): number;
  /** Runs `run` once, as soon as `mono()` has reached `deadline`. Never runs it synchronously. */
  at(deadline: number, run: () => void): Timer;
}

export interface Timer {
  cancel(): void;
}

export interface Random {
  /** `n` octets; from the system's generator in the real world, from the seed in the virtual one. */
  bytes(n: number): Uint8Array<ArrayBuffer>;
  /** A number in [0, 1), for jitter; never for a secret. */
  fraction(): number;
}

/** A literal IPv4 or IPv6 address (no brackets, no zone) and a port. */
export interface Address {
  readonly host: string;
  readonly port: number;
}

export interface Net {
  /** Binds a UDP socket; port 0 takes any free port. Rejects with a NetError (`code` such as EADDRINUSE). */
  udp(options: UdpOptions, onMessage: (data: Uint8Array, from: Address) => void): Promise<UdpSocket>;
  /** Listens for streams, in the clear or over TLS (the handler gets a stream only after the handshake). */
  listen(options: ListenOptions, onStream: (stream: Stream) => void): Promise<Listener>;
  /** Opens a stream; rejects with a NetError, also after `timeout` ms (default 10 s). `host` may be a name. */
  connect(options: ConnectOptions): Promise<Stream>;
  /** This host's own addresses, loopback last. */
  addresses(): readonly InterfaceAddress[];
}

export interface InterfaceAddress {
  readonly name: string;
  readonly host: string;
  readonly family: 4 | 6;
  readonly loopback: boolean;
  readonly mac: string;
  /** Prefix length in bits. */
  readonly prefix: number;
}

export interface UdpOptions {
  readonly host: string;
  readonly port: number;
  /** Multicast group to join on the interface that holds `interface` (an address). */
  readonly multicast?: { readonly group: string; readonly interface: string };
  /** Several sockets on one port (SSDP and mDNS need it). */
  readonly shared?: boolean;
  readonly broadcast?: boolean;
}

export interface UdpSocket {
  readonly local: Address;
  /** Best effort: an error on the way (port unreachable, buffer full) is counted, never thrown. */
  send(data: Uint8Array, to: Address): void;
  close(): Promise<void>;
  /**
   * Runs something once the datagrams that are there by now have been handed over, or the first some of them. Absent where nobody is
   * ever busy, and so nothing ever waits.
   */
  soon?(run: () => void): void;
  /** Octets that may wait for us, as far as known; less than was wished where the machine's settings grant no more. */
  readonly room?: { readonly granted: number; readonly wished: number };
}

export interface TlsServerOptions {
  readonly certificate: string;
  readonly key: string;
  /** PEM of the authorities whose client certificates count as `trusted`. */
  readonly clientCa?: string;
  /** No certificate is asked for: where one is, a browser's WebSocket gives up. Default: one is asked for, and none is fine. */
  readonly asksNone?: true;
}

export interface TlsClientOptions {
  /** PEM of the only authorities believed; absent: the web's own. */
  readonly ca?: string;
  /** The name that the server's certificate must hold; default: the host. */
  readonly serverName?: string;
  /** That name is a SIP domain: the certificate has to speak for it as RFC 5922 section 7 says (SIP URIs first, no wildcards). */
  readonly sipDomain?: boolean;
  readonly certificate?: string;
  readonly key?: string;
}

export interface ListenOptions {
  readonly host: string;
  readonly port: number;
  readonly tls?: TlsServerOptions;
}

export interface ConnectOptions {
  readonly host: string;
  readonly port: number;
  readonly tls?: TlsClientOptions;
  readonly timeout?: number;
}

export interface Listener {
  readonly local: Address;
  /**
   * Over TLS: further authorities (PEM, each one certificate), whose clients come with `authority` and are not `trusted`. It holds for
   * connections from now on, in place of what was said before.
   */
  believe(authorities: readonly string[]): void;
  /** Over TLS: what we show from the next connection on. */
  renew(own: Pick<TlsServerOptions, 'certificate' | 'key'>): void;
  /** Stops listening and destroys the streams that came in. */
  close(): Promise<void>;
}

/** What the channel proved about the other end. Nothing in a payload can change it. */
export type Peer =
  | { readonly kind: 'none' }
  | {
      readonly kind: 'certificate';
      /** Common name of the subject. */
      readonly subject: string;
      /** SHA-256 of the SubjectPublicKeyInfo, lower-case hex: names the key, whoever signed for it. */
      readonly keyHash: string;
      /** Signed by an authority that we believe, and in its time. */
      readonly trusted: boolean;
      /** Not by one of these, but by a further one that a listener was told of: SHA-256 of that one's SubjectPublicKeyInfo, hex. */
      readonly authority?: string;
      /** Issued by itself and rightly so. */
      readonly selfSigned: boolean;
      readonly serial: string;
      /** SIP domains that it speaks for (RFC 5922 section 7.1), lower case. */
      readonly domains?: readonly string[];
    };

/** A reliable octet stream, the same for TCP, TLS and the virtual network. NODELAY is always on. */
export interface Stream {
  readonly local: Address;
  readonly remote: Address;
  readonly secure: boolean;
  readonly peer: Peer;
  /** Octets accepted by `write` and not yet by the network. */
  readonly buffered: number;
  /** Queues octets; false once more than 64 KiB wait: hold back until `drain`. After close it does nothing. */
  write(data: Uint8Array): boolean;
  /** Sends what waits, then closes our side. */
  end(): void;
  /** Closes at once. */
  destroy(): void;
  pause(): void;
  resume(): void;
  /** Sets the handlers; octets that came before are delivered then. One owner at a time. */
  handle(handlers: StreamHandlers): void;
}

export interface StreamHandlers {
  data(data: Uint8Array): void;
  drain?(): void;
  /** Exactly once, whoever closed; `error` is a short code such as ECONNRESET. */
  close(error?: string): void;
}

export interface Disk {
  /** The whole file; undefined when there is none. */
  read(path: string): Promise<Uint8Array<ArrayBuffer> | undefined>;
  /** At most `length` octets from `offset` on, fewer at the end of the file; undefined when there is no file. */
  part(path: string, offset: number, length: number): Promise<Uint8Array<ArrayBuffer> | undefined>;
  /** Atomic and durable: new file, sync, rename, sync of the folder. Mode 0600, folders 0700. */
  write(path: string, data: Uint8Array): Promise<void>;
  /** Opens a file for appending, making it when absent. */
  append(path: string): Promise<AppendFile>;
  remove(path: string): Promise<void>;
  /** Names in a folder, sorted; empty when there is none. */
  list(folder: string): Promise<string[]>;
  /** Octets that are free for us and in all where the folder lies; undefined where nobody knows. */
  room(folder: string): Promise<{ readonly free: number; readonly size: number } | undefined>;
}

export interface AppendFile {
  readonly size: number;
  /** Resolves once the octets would survive a power cut (fdatasync). */
  append(data: Uint8Array): Promise<void>;
  close(): Promise<void>;
}

export type HashName = 'md5' | 'sha1' | 'sha256';

/** Takes pieces in their order; `digest` is called once, at the end. */
export interface Hasher {
  update(data: Uint8Array): void;
  digest(): Uint8Array<ArrayBuffer>;
}

export interface KeyPair {
  /** PKCS #8, PEM. */
  readonly privateKey: string;
  /** SubjectPublicKeyInfo, DER. */
  readonly publicKey: Uint8Array;
  /** SHA-256 of `publicKey`, lower-case hex. */
  readonly keyHash: string;
}

/** What a certificate may speak for (RFC 8226 section 9): all numbers of a provider, by its code, or `count` numbers from `start` on (digits). */
export type TnEntry = { readonly spc: string } | { readonly start: string; readonly count: number };

export interface IssueOptions {
  readonly subject: string;
  readonly publicKey: Uint8Array;
  /** The issuer's certificate, PEM; absent: self-signed, and `signer` is the subject's own key. */
  readonly issuer?: string;
  readonly signer: string;
  /** Wall clock, ms. */
  readonly notBefore: number;
  readonly notAfter: number;
  /** `domain`: a server that calls other servers, too. */
  readonly use: 'authority' | 'server' | 'client' | 'domain';
  /** DNS names, IP addresses and SIP domains as URIs (`sip:example.com`), for servers. */
  readonly names?: readonly string[];
  /** Telephone numbers that it may speak for. */
  readonly numbers?: readonly TnEntry[];
}

export interface CertificateFacts {
  readonly subject: string;
  readonly keyHash: string;
  readonly serial: string;
  readonly notBefore: number;
  readonly notAfter: number;
}

/** The first certificate of a chain. */
export interface ChainFacts {
  readonly subject: string;
  /** SubjectPublicKeyInfo, DER, of a P-256 key. */
  readonly publicKey: Uint8Array;
  /** Wall clock, ms: when the first of the chain is over. */
  readonly notAfter: number;
  /** Absent: it says nothing of telephone numbers. */
  readonly numbers?: readonly TnEntry[];
  /** The same of each issuer that says so: nothing below it may speak for others. */
  readonly limits?: readonly (readonly TnEntry[])[];
  /** Absent: it may sign any claims. */
  readonly claims?: ClaimLimits;
}

/** Claims that a PASSporT has to have, and values that a claim may have where it is there (RFC 8226 section 8). */
export interface ClaimLimits {
  readonly included: readonly string[];
  readonly permitted: readonly { readonly claim: string; readonly values: readonly string[] }[];
}

/** Certificates and requests are PEM text. */
export interface Crypto {
  hash(name: HashName, data: Uint8Array): Uint8Array<ArrayBuffer>;
  /** Lower-case hex of the hash of a short text with one character per octet. */
  hashText(name: HashName, text: string): string;
  /** A hash of what does not fit into memory, piece by piece. */
  hasher(name: HashName): Hasher;
  hmac(name: 'sha256', key: Uint8Array, data: Uint8Array): Uint8Array<ArrayBuffer>;
  /** Constant time for equal lengths. */
  equal(a: Uint8Array, b: Uint8Array): boolean;
  /** scrypt with N = 2^14, r = 8, p = 1, 32 octets. */
  passwordHash(password: string, salt: Uint8Array): Promise<Uint8Array<ArrayBuffer>>;
  /** A P-256 key pair, or an Ed25519 one (RFC 8032) for signatures over documents. */
  createKey(kind?: 'P-256' | 'Ed25519'): Promise<KeyPair>;
  /** By the key's kind: ECDSA with SHA-256 in IEEE P1363 form, or EdDSA. */
  sign(privateKey: string, data: Uint8Array): Promise<Uint8Array<ArrayBuffer>>;
  verify(publicKey: Uint8Array, data: Uint8Array, signature: Uint8Array): Promise<boolean>;
  /** A PKCS #10 request for `subject`, signed by the key it asks for; `numbers` where the certificate is to speak for them. */
  createRequest(
    key: Pick<KeyPair, 'privateKey' | 'publicKey'>,
    subject: string,
    numbers?: readonly TnEntry[],
  ): Promise<string>;
  /** What a request asks for; undefined where it is malformed or its own signature is wrong. */
  readRequest(request: string): Promise<{ subject: string; publicKey: Uint8Array; keyHash: string } | undefined>;
  issue(options: IssueOptions): Promise<string>;
  /** Undefined where it is no certificate. */
  readCertificate(certificate: string): Promise<CertificateFacts | undefined>;
  /**
   * Reads a chain (the signer's certificate first, each issued by the next, its root left out or not) that hangs on one of `authorities`;
   * undefined where it does not, where one of it is out of its time at `wall`, or where its first key is not of P-256.
   */
  readChain(chain: string, authorities: string, wall: number): Promise<ChainFacts | undefined>;
}

export interface HttpRequest {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** PEM of the only authorities believed. */
  readonly ca?: string;
  /** Pins the authority: SHA-256 of its SubjectPublicKeyInfo (lower-case hex) must be in the server's chain. */
  readonly pin?: string;
  /** Milliseconds, default 10 s. */
  readonly timeout?: number;
  /** Most octets of a reply that are taken, default 1 MiB. */
  readonly limit?: number;
  /** A longer reply is cut at `limit`, not refused. */
  readonly cut?: boolean;
  /** The reply's body is wanted as octets, not as text. */
  readonly octets?: true;
  /** Whether an address that the name stands for may be asked; default any. Asked again for every connection; none: EACCES. */
  readonly allow?: (address: string) => boolean;
}

export interface HttpReply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  /** The body where octets were asked for; `body` is empty then. */
  readonly octets?: Uint8Array<ArrayBuffer>;
}

export interface HttpClient {
  /** Rejects with a NetError when no reply came. */
  request(request: HttpRequest): Promise<HttpReply>;
}

/** A failure of the network with a stable short code (ECONNREFUSED, ETIMEDOUT, EADDRINUSE, ECERT, ETOOLARGE …). */
export class NetError extends Error {
  readonly code: string;
  constructor(code: string, message: string) {
    super(message);
    this.name = 'NetError';
    this.code = code;
  }
}

export type LogFields = Readonly<Record<string, string | number | boolean | undefined>>;

/** Structured lines: an event's name and fields; text is never built from input. */
export interface Log {
  debug(event: string, fields?: LogFields): void;
  info(event: string, fields?: LogFields): void;
  warn(event: string, fields?: LogFields): void;
  error(event: string, fields?: LogFields): void;
  /** A log whose every line also carries `fields`. */
  child(fields: LogFields): Log;
}
