/**
 * Cryptography of the virtual world: real hashes, but keys and signatures from the seed (real ECDSA signatures are
 * random, and key making uses threads). A certificate is JSON in PEM clothes; a signature can be checked only inside the
 * world that made the key. Nothing here protects anything.
 */
import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import { ed25519Key, isEd25519, signEd25519, verifyEd25519 } from '#shared/host/ed25519.ts';
import { fromHex, hex } from '#shared/kernel/bytes.ts';
import type {
  CertificateFacts,
  ChainFacts,
  Crypto,
  IssueOptions,
  KeyPair,
  Random,
  TnEntry,
} from '#shared/kernel/world.ts';

interface Body {
  readonly subject: string;
  readonly publicKey: string;
  readonly issuerKey: string;
  readonly issuer: string;
  readonly serial: string;
  readonly notBefore: number;
  readonly notAfter: number;
  readonly use: string;
  readonly names: readonly string[];
  readonly numbers?: readonly TnEntry[];
}

/** The private keys of a world by public key: what stands for the mathematics of verification. */
export type KeyRing = Map<string, string>;

export function virtualCrypto(random: Random, ring: KeyRing): Crypto {
  const digest = (...parts: (string | Uint8Array)[]) => {
    const hash = createHash('sha256');
    for (const part of parts) hash.update(part);
    return new Uint8Array(hash.digest());
  };
  const publicOf = (privateKey: string) => hex(digest('public', readPem(privateKey)));
  const sign = (privateKey: string, data: Uint8Array | string) => hex(digest('signature', readPem(privateKey), data));
  const check = (publicKey: string, data: Uint8Array | string, signature: string) => {
    const privateKey = ring.get(publicKey);
    return privateKey !== undefined && sign(privateKey, data) === signature;
  };
  const open = (text: string, kind: string): { body: Body; signature: string; text: string } | undefined => {
    if (!text.includes(`BEGIN ${kind}`)) return undefined;
    try {
      const outer = JSON.parse(readPem(text)) as { body: string; signature: string };
      return { body: JSON.parse(outer.body) as Body, signature: outer.signature, text: outer.body };
    } catch {
      return undefined;
    }
  };
  return {
    hash: (name, data) => new Uint8Array(createHash(name).update(data).digest()),
    hashText: (name, text) => createHash(name).update(text, 'latin1').digest('hex'),
    hasher: (name) => {
      const hash = createHash(name);
      return { update: (data) => void hash.update(data), digest: () => new Uint8Array(hash.digest()) };
    },
    hmac: (name, key, data) => new Uint8Array(createHmac(name, key).update(data).digest()),
    equal: (a, b) => a.length === b.length && timingSafeEqual(a, b),
    passwordHash: async (password, salt) => digest('password', salt, password),
    async createKey(kind): Promise<KeyPair> {
      // Ed25519 signatures are not random, so that the real ones serve, and a package signed outside can be checked.
      if (kind === 'Ed25519') return ed25519Key(random.bytes(32));
      const privateKey = pem('PRIVATE KEY', hex(random.bytes(32)));
      const publicKey = publicOf(privateKey);
      ring.set(publicKey, privateKey);
      const octets = fromHex(publicKey) ?? new Uint8Array();
      return { privateKey, publicKey: octets, keyHash: hex(digest(octets)) };
    },
    sign: async (privateKey, data) =>
      signEd25519(privateKey, data) ?? fromHex(sign(privateKey, data).repeat(2)) ?? new Uint8Array(),
    async verify(publicKey, data, signature) {
      if (isEd25519(publicKey)) return verifyEd25519(publicKey, data, signature);
      // As long as a real one: 64 octets, of which both halves say the same.
      const [half, other] = [hex(signature.subarray(0, 32)), hex(signature.subarray(32))];
      return half === other && check(hex(publicKey), data, half);
    },
    async createRequest(key, subject) {
      const body = JSON.stringify({ subject, publicKey: hex(key.publicKey) });
      return pem('CERTIFICATE REQUEST', JSON.stringify({ body, signature: sign(key.privateKey, body) }));
    },
    async readRequest(request) {
      const read = open(request, 'CERTIFICATE REQUEST');
      if (read === undefined || !check(read.body.publicKey, read.text, read.signature)) return undefined;
      const publicKey = fromHex(read.body.publicKey) ?? new Uint8Array();
      return { subject: read.body.subject, publicKey, keyHash: hex(digest(publicKey)) };
    },
    async issue(options: IssueOptions) {
      const issuer = options.issuer === undefined ? undefined : open(options.issuer, 'CERTIFICATE');
      const body: Body = {
        subject: options.subject,
        publicKey: hex(options.publicKey),
        issuer: issuer?.body.subject ?? options.subject,
        issuerKey: publicOf(options.signer),
        serial: hex(random.bytes(16)),
        notBefore: options.notBefore,
        notAfter: options.notAfter,
        use: options.use,
        names: options.names ?? [],
        ...(options.numbers === undefined ? {} : { numbers: options.numbers }),
      };
      const text = JSON.stringify(body);
      return pem('CERTIFICATE', JSON.stringify({ body: text, signature: sign(options.signer, text) }));
    },
    async readCertificate(certificate): Promise<CertificateFacts | undefined> {
      return certificateFacts(certificate.match(ONE)?.[0] ?? certificate);
    },
    async readChain(chain, authorities, wall): Promise<ChainFacts | undefined> {
      const [links, roots] = [chain, authorities].map((text) =>
        (text.match(ONE) ?? []).flatMap((one) => open(one, 'CERTIFICATE') ?? []),
      );
      const [leaf] = links ?? [];
      const last = links?.at(-1);
      if (leaf === undefined || last === undefined) return undefined;
      const by = (one: typeof leaf, issuer: typeof leaf | undefined) =>
        issuer?.body.use === 'authority' &&
        issuer.body.publicKey === one.body.issuerKey &&
        check(one.body.issuerKey, one.text, one.signature);
      const root = roots?.find((one) => one.text === last.text || by(last, one));
      const linked = links?.every((one, i) => i === links.length - 1 || by(one, links[i + 1])) === true;
      const inTime = links?.every(({ body }) => body.notBefore <= wall && wall <= body.notAfter) === true;
      if (root === undefined || !linked || !inTime) return undefined;
      const { subject, publicKey, notAfter, numbers } = leaf.body;
      const facts = { subject, publicKey: fromHex(publicKey) ?? new Uint8Array(), notAfter };
      const issuers = new Map([...(links ?? []).slice(1), root].map((one) => [one.text, one]));
      issuers.delete(leaf.text);
      const limits = [...issuers.values()].flatMap(({ body }) => (body.numbers === undefined ? [] : [body.numbers]));
      return {
        ...{ ...facts, ...(numbers === undefined ? {} : { numbers }) },
        ...(limits.length === 0 ? {} : { limits }),
      };
    },
  };
}

const ONE = /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g;

/** What a virtual TLS handshake learns from a certificate; undefined where it is none. */
export function certificateFacts(
  certificate: string,
): (CertificateFacts & { readonly issuerKeyHash: string; readonly names: readonly string[] }) | undefined {
  try {
    const body = JSON.parse((JSON.parse(readPem(certificate)) as { body: string }).body) as Body;
    const hashOf = (key: string) =>
      createHash('sha256')
        .update(fromHex(key) ?? new Uint8Array())
        .digest('hex');
    return {
      subject: body.subject,
      keyHash: hashOf(body.publicKey),
      issuerKeyHash: hashOf(body.issuerKey),
      serial: body.serial,
      notBefore: body.notBefore,
      notAfter: body.notAfter,
      names: body.names,
    };
  } catch {
    return undefined;
  }
}

function pem(kind: string, text: string): string {
  return `-----BEGIN ${kind}-----\n${Buffer.from(text).toString('base64')}\n-----END ${kind}-----\n`;
}

function readPem(text: string): string {
  return Buffer.from(text.replace(/-----[^-]+-----/g, ''), 'base64').toString();
}
