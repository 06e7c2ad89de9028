/** The house's lines and where their phones are; pure. What the cloud last desired, and who registered here. */

import { readDialled } from '#shared/call/numbers.ts';
import { type Account, isOwn } from '#shared/call/register.ts';
import type { VoiceDocument } from '#shared/protocol/documents.ts';
import { deviceOf } from '#shared/sip/instance.ts';
import type { SipMessage } from '#shared/sip/message.ts';
import { byPhone } from '#shared/sip/outbound.ts';
import {
  type Bindings,
  bindingOf,
  type PlainBinding,
  plainBinding,
  type RegisterOutcome,
  register,
  removeExpired,
} from '#shared/sip/registrar.ts';
import type { Flow } from '#shared/sip/types.ts';

export type HouseLine = VoiceDocument['lines'][number] & Account;

/** A way to ring a phone in the house. */
export interface Phone {
  readonly uri: string;
  readonly flow: Flow;
  readonly path: readonly string[];
  /** The same phone over its other flows (RFC 5626), the one that was registered last first. */
  readonly others?: readonly Phone[];
}

/** A phone as it is kept over a restart. */
export interface KeptPhone {
  readonly line: string;
  readonly binding: PlainBinding;
  readonly flow: Flow;
  /** Milliseconds for which its last registration was granted. */
  readonly granted: number;
}

/** Seconds that a phone's registration may last. */
export const REGISTER_SECONDS = { min: 60, max: 3600 } as const;

export class House {
  #lines: readonly HouseLine[] = [];
  readonly #bindings = new Map<string, Bindings>();
  /** Flows by id, as bindings name them. */
  readonly #flows = new Map<string, Flow>();
  readonly #since = new Map<string, number>();
  /** Milliseconds that a contact was last granted, by line and URI. */
  readonly #granted = new Map<string, number>();

  get lines(): readonly HouseLine[] {
    return this.#lines;
  }

  /** Takes the lines of a new document; phones of lines that are gone are forgotten. */
  apply(lines: readonly HouseLine[]): void {
    this.#lines = lines;
    for (const id of this.#bindings.keys()) if (!lines.some((line) => line.id === id)) this.#bindings.delete(id);
  }

  byUsername(username: string): HouseLine | undefined {
    return this.#lines.find((line) => line.username === username);
  }

  byId(id: string): HouseLine | undefined {
    return this.#lines.find((line) => line.id === id);
  }

  /** None of these lines is here, and others are: the gateway has become another home's. */
  areStrange(lines: readonly (Pick<HouseLine, 'id'> | undefined)[]): boolean {
    return this.#lines.length > 0 && lines.every((line) => line?.id !== '' && this.byId(line?.id ?? '') === undefined);
  }

  /** The line that a Request-URI's user means, in any usual writing; undefined for one outside the house. */
  dialled(user: string): HouseLine | undefined {
    const named = this.#lines.find((line) => line.username === user || line.id === user || line.number === user);
    if (named !== undefined) return named;
    const read = readDialled(user);
    return read?.kind === 'number' ? this.#lines.find((line) => line.number === read.number) : undefined;
  }

  /** Whether the sender that proved to be `line` may say so in From. */
  static owns(line: HouseLine, message: SipMessage): boolean {
    return isOwn(message, line);
  }

  /** Applies a REGISTER that was let through. `now` is monotonic, `wall` for reports, both ms. */
  register(line: HouseLine, message: SipMessage, flow: Flow, now: number, wall: number): RegisterOutcome {
    const bindings = this.#bindings.get(line.id) ?? [];
    const outcome = register(bindings, message, now, { flow: flow.id, ...REGISTER_SECONDS });
    if (outcome.status !== 200) return outcome;
    if (bindings.length === 0) this.#bindings.delete(line.id);
    else {
      this.#bindings.set(line.id, bindings);
      this.#flows.set(flow.id, flow);
      if (!this.#since.has(line.id)) this.#since.set(line.id, wall);
    }
    for (const { uri, callId, cseq, expiresAt } of bindings) {
      if (callId === message.callId && cseq === message.cseq.n) this.#granted.set(`${line.id} ${uri}`, expiresAt - now);
    }
    return outcome;
  }

  /** The phones that came over UDP; a connection ends with its process, and whoever had it registers again. */
  kept(): KeptPhone[] {
    const kept: KeptPhone[] = [];
    const granted = new Map(this.#granted);
    this.#granted.clear();
    for (const [line, bindings] of this.#bindings) {
      for (const binding of bindings) {
        const flow = this.#flows.get(binding.flow);
        const ms = granted.get(`${line} ${binding.uri}`);
        if (flow === undefined || ms === undefined) continue;
        this.#granted.set(`${line} ${binding.uri}`, ms);
        if (flow.protocol === 'udp') kept.push({ line, binding: plainBinding(binding), flow, granted: ms });
      }
    }
    return kept;
  }

  /** Puts back a phone that an earlier process knew. It was there at the end of that, so it has its whole time to come again. */
  restore({ line, binding, granted }: KeptPhone, flow: Flow, now: number, wall: number): void {
    const bindings = this.#bindings.get(line) ?? [];
    bindings.push(bindingOf({ ...binding, flow: flow.id }, now + granted));
    this.#bindings.set(line, bindings);
    this.#flows.set(flow.id, flow);
    this.#granted.set(`${line} ${binding.uri}`, granted);
    this.#since.set(line, wall);
  }

  phones(line: string, now: number): Phone[] {
    const there = (this.#bindings.get(line) ?? []).filter(({ expiresAt }) => expiresAt > now);
    return byPhone(there).flatMap((ways) => {
      const [first, ...others] = ways.flatMap(({ uri, flow: id, path }): Phone[] => {
        const flow = this.#flows.get(id);
        return flow === undefined ? [] : [{ uri, flow, path }];
      });
      return first === undefined ? [] : [others.length === 0 ? first : { ...first, others }];
    });
  }

  /** As `phones`, each with the name by which it is told from others. */
  devices(
    line: string,
    now: number,
    sha256: (text: string) => string,
  ): { readonly phone: Phone; readonly device: string }[] {
    const bindings = this.#bindings.get(line) ?? [];
    return this.phones(line, now).flatMap((phone) => {
      const binding = bindings.find((one) => one.uri === phone.uri && one.flow === phone.flow.id);
      return binding === undefined ? [] : [{ phone, device: deviceOf(binding, sha256) }];
    });
  }

  /** Whether a phone is registered over it. */
  keeps(flow: Flow): boolean {
    return this.#flows.has(flow.id);
  }

  /** A connection is gone, and what came over it. */
  lost(flow: Flow): void {
    this.#flows.delete(flow.id);
    for (const [line, bindings] of this.#bindings) {
      const kept = bindings.filter((one) => one.flow !== flow.id);
      if (kept.length === 0) this.#bindings.delete(line);
      else if (kept.length < bindings.length) this.#bindings.set(line, kept);
    }
  }

  /** The lines that have a phone now; what has expired goes. */
  present(now: number): { readonly line: string; readonly contacts: number; readonly since: number }[] {
    const used = new Set<string>();
    const present: { line: string; contacts: number; since: number }[] = [];
    for (const [line, bindings] of this.#bindings) {
      removeExpired(bindings, now);
      for (const one of bindings) used.add(one.flow);
      if (bindings.length === 0) this.#bindings.delete(line);
      else present.push({ line, contacts: bindings.length, since: this.#since.get(line) ?? 0 });
    }
    for (const id of this.#flows.keys()) if (!used.has(id)) this.#flows.delete(id);
    for (const line of this.#since.keys()) if (!this.#bindings.has(line)) this.#since.delete(line);
    return present;
  }
}
