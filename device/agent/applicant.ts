/** The link of a gateway that is not paired: its own key is all that the cloud knows of it, and pairing all it may ask. */
import type { Result } from '#shared/kernel/result.ts';
import { err, ok } from '#shared/kernel/result.ts';
import type { World } from '#shared/kernel/world.ts';
import { type Fault, fault } from '#shared/protocol/fault.ts';
import { applicantDown, applicantFilter, applicantUp } from '#shared/protocol/topics.ts';
import type { VerbReply, VerbRequest } from '#shared/protocol/verbs/index.ts';
import { type LinkStatus, Session } from './session.ts';

export interface ApplicantOptions {
  readonly world: World;
  /** SHA-256 of the device key's SubjectPublicKeyInfo, lower-case hex; the certificate must be of that key. */
  readonly keyHash: string;
  /** PEM: a certificate that the device key has signed for itself. */
  readonly certificate: string;
  /** PEM: the device key. */
  readonly key: string;
  readonly mqtt: { readonly host: string; readonly port: number };
  /** PEM of the operator's authority. */
  readonly ca: string;
  /** The name that the cloud's certificate must hold; default: the host. */
  readonly serverName?: string;
}

/** What an applicant may ask. */
export type ApplicantVerb = 'pairing.announce' | 'pairing.claim' | 'pairing.standing' | 'pairing.request';

export interface ApplicantLink {
  start(): void;
  stop(): void;
  readonly status: LinkStatus;
  /** Resolves always; `timeout` in ms, default 10 s. While there is no connection the request waits for one. */
  request<V extends ApplicantVerb>(
    verb: V,
    body: VerbRequest<V>,
    timeout?: number,
  ): Promise<Result<VerbReply<V>, Fault>>;
  /** The cloud says that the code was claimed, or that the claim is undone. */
  onClaimed(handler: (message: VerbRequest<'pairing.claimed'>) => void): void;
  /** `ready` means connected; `waiting` carries why the last try failed. */
  onState(handler: (status: LinkStatus) => void): void;
}

const KEEPALIVE = 30;
const CONNECT_TIMEOUT = 15_000;

export function createApplicantLink(options: ApplicantOptions): ApplicantLink {
  const { keyHash, world } = options;
  let claimed: (message: VerbRequest<'pairing.claimed'>) => void = () => {};
  const listeners: ((status: LinkStatus) => void)[] = [];

  const session = new Session({
    world,
    target: () => ({
      ...options.mqtt,
      tls: {
        ca: options.ca,
        certificate: options.certificate,
        key: options.key,
        ...(options.serverName === undefined ? {} : { serverName: options.serverName }),
      },
      clientId: keyHash,
      filter: applicantFilter(keyHash),
      keepalive: KEEPALIVE,
      timeout: CONNECT_TIMEOUT,
    }),
    topics: {
      up: (channel) => applicantUp(keyHash, channel === 'res' ? 'res' : 'req'),
      down: (topic) => (['res', 'cmd'] as const).find((channel) => applicantDown(keyHash, channel) === topic),
    },
    async obey(verb, body) {
      const message = body as VerbRequest<'pairing.claimed'>;
      if (verb !== 'pairing.claimed' || typeof message?.claimed !== 'boolean') {
        return err(fault('gateway_refused', 'This gateway is not paired.'));
      }
      claimed(message);
      return ok({});
    },
    desired() {},
    changed(status) {
      for (const listener of listeners) listener(status);
    },
  });

  return {
    start: () => session.start(),
    stop: () => session.stop(),
    get status() {
      return session.status;
    },
    async request<V extends ApplicantVerb>(verb: V, body: VerbRequest<V>, timeout = 10_000) {
      return (await session.ask('req', verb, body, timeout)) as Result<VerbReply<V>, Fault>;
    },
    onClaimed(handler) {
      claimed = handler;
    },
    onState(handler) {
      listeners.push(handler);
    },
  };
}
