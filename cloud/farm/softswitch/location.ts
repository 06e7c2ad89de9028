/** Where the phones of a line are: the bindings of every line, each tied to the flow over which it came. */
import type { LineRow } from '#cloud/store/directory.ts';
import { isSips } from '#shared/sip/dialog.ts';
import { deviceOf, readDevices } from '#shared/sip/instance.ts';
import type { SipMessage } from '#shared/sip/message.ts';
import { byPhone } from '#shared/sip/outbound.ts';
import {
  type Binding,
  type Bindings,
  type RegisterOutcome,
  register,
  removeExpired,
  removeFlow,
} from '#shared/sip/registrar.ts';
import { type Flow, isSecure } from '#shared/sip/types.ts';
import { hostOf } from '#shared/sip/uri.ts';

/** A way to ring a phone. */
export interface Contact {
  readonly uri: string;
  readonly flow: Flow;
  /** Route values, topmost first. */
  readonly path: readonly string[];
  /** The gateway behind which the phone is; absent: a direct phone. */
  readonly gateway?: string | undefined;
  /** A direct phone that shows the address from which it comes: no NAT is between. */
  readonly open: boolean;
  /** The same phone over its other flows (RFC 5626), the one that was registered last first. */
  readonly others?: readonly Contact[];
}

export interface Registration {
  readonly line: string;
  readonly contacts: number;
  readonly direct: boolean;
  readonly gateway?: string;
}

/** Seconds: shorter wishes are refused, longer ones cut. */
export const REGISTER_SECONDS = { min: 60, max: 3600 } as const;

/** Seconds within which whoever keeps a connection should let itself be heard: less than the transport waits. */
const FLOW_TIMER = 1500;

/** A binding with its flow. */
export interface Reached {
  readonly binding: Binding;
  readonly flow: Flow;
  readonly gateway?: string;
}

interface KnownFlow {
  readonly flow: Flow;
  readonly gateway: string | undefined;
  readonly lines: Set<string>;
}

/** True where a Contact names the address from which its message came. */
export function isOpen(contact: string | undefined, flow: Flow): boolean {
  return contact !== undefined && hostOf(contact) === flow.remote.host;
}

/** Anything may be registered (RFC 3261 section 20.10); an INVITE goes to a SIP URI, and to a SIPS URI over TLS alone (section 26.2.2). */
export function canRing(uri: string, flow: Flow): boolean {
  return uri.startsWith('sip:') || /^sip:/i.test(uri) || (isSips(uri) && isSecure(flow));
}

export class Location {
  readonly #lines = new Map<string, Bindings>();
  readonly #flows = new Map<string, KnownFlow>();
  /** As each binding was rung last. */
  readonly #contacts = new WeakMap<Binding, Contact>();

  /** Reads anew what other processes know of a line (of all, without one); absent where there is but one process. */
  refresh?: (line?: string) => Promise<void>;

  /** Applies a REGISTER that was let through. `now` is monotonic, ms. */
  register(line: LineRow, message: SipMessage, from: { flow: Flow; gateway?: string }, now: number): RegisterOutcome {
    const bindings = this.#lines.get(line.id) ?? [];
    const outcome = register(bindings, message, now, {
      flow: from.flow.id,
      ...REGISTER_SECONDS,
      ...(from.flow.protocol === 'udp' ? {} : { flowTimer: FLOW_TIMER }),
    });
    if (outcome.status !== 200) return outcome;
    if (bindings.length === 0) this.#lines.delete(line.id);
    else {
      this.#lines.set(line.id, bindings);
      this.#know(from.flow, from.gateway).lines.add(line.id);
    }
    return outcome;
  }

  /** Puts back what an earlier process knew. */
  restore(line: string, binding: Binding, flow: Flow): void {
    const bindings = this.#lines.get(line) ?? [];
    bindings.push({ ...binding, flow: flow.id });
    this.#lines.set(line, bindings);
    this.#know(flow, undefined).lines.add(line);
  }

  /** The bindings of a line that came over UDP, with their flows. */
  datagram(line: string): { readonly binding: Binding; readonly flow: Flow }[] {
    return (this.#lines.get(line) ?? []).flatMap((binding) => {
      const flow = this.#flows.get(binding.flow)?.flow;
      return flow?.protocol === 'udp' ? [{ binding, flow }] : [];
    });
  }

  /** The bindings of a line, with their flows. */
  reached(line: string): Reached[] {
    return (this.#lines.get(line) ?? []).flatMap((binding) => {
      const known = this.#flows.get(binding.flow);
      if (known === undefined) return [];
      return [{ binding, flow: known.flow, ...(known.gateway === undefined ? {} : { gateway: known.gateway }) }];
    });
  }

  /** These are the bindings of a line now. */
  replace(line: string, all: readonly Reached[]): void {
    if (all.length === 0) this.#lines.delete(line);
    else
      this.#lines.set(
        line,
        all.map(({ binding, flow }) => (binding.flow === flow.id ? binding : { ...binding, flow: flow.id })),
      );
    for (const { flow, gateway } of all) this.#know(flow, gateway).lines.add(line);
  }

  /** A flow over which somebody is registered. */
  flow(id: string): Flow | undefined {
    return this.#flows.get(id)?.flow;
  }

  /** The lines that registered over a flow. */
  linesOf(flow: Flow): string[] {
    return [...(this.#flows.get(flow.id)?.lines ?? [])];
  }

  /** Lines with bindings. */
  known(): string[] {
    return [...this.#lines.keys()];
  }

  #know(flow: Flow, gateway: string | undefined): KnownFlow {
    const known = this.#flows.get(flow.id) ?? { flow, gateway, lines: new Set<string>() };
    this.#flows.set(flow.id, known);
    return known;
  }

  /** The phones of a line, each with the ways to it. */
  contacts(line: string, now: number): Contact[] {
    const bindings = this.#lines.get(line);
    if (bindings === undefined) return [];
    const [only] = bindings;
    if (only !== undefined && bindings.length === 1) {
      const contact = only.expiresAt > now ? this.#contact(only) : undefined;
      return contact === undefined ? [] : [contact];
    }
    const there = bindings.filter((one) => one.expiresAt > now && this.#flows.has(one.flow));
    return byPhone(there).flatMap((ways) => {
      const [first, ...others] = ways.flatMap((way) => this.#contact(way) ?? []);
      return first === undefined ? [] : [others.length === 0 ? first : { ...first, others }];
    });
  }

  #contact(binding: Binding): Contact | undefined {
    const { uri, path, flow: id } = binding;
    const known = this.#flows.get(id);
    if (known === undefined) return undefined;
    const { flow, gateway } = known;
    if (!canRing(uri, flow)) return undefined;
    const before = this.#contacts.get(binding);
    if (before?.flow === flow && before.uri === uri && before.path === path && before.gateway === gateway)
      return before;
    const open = gateway === undefined && isOpen(uri, flow);
    const contact = { uri, flow, path, open, gateway };
    this.#contacts.set(binding, contact);
    return contact;
  }

  /** A way to a phone is gone, as whoever kept its flow says (RFC 5626 section 5.3: 430). */
  gone(line: string, { uri, flow }: Contact): void {
    const bindings = this.#lines.get(line);
    const at = bindings?.findIndex((one) => one.uri === uri && one.flow === flow.id) ?? -1;
    if (at >= 0) bindings?.splice(at, 1);
    if (bindings?.length === 0) this.#lines.delete(line);
  }

  /** As `contacts`, each with the phones behind it: its own, or those that its gateway names. */
  reach(
    line: string,
    now: number,
    sha256: (text: string) => string,
  ): { readonly contact: Contact; readonly devices: readonly string[] }[] {
    const known = this.#lines.get(line) ?? [];
    return this.contacts(line, now).map((contact) => {
      const binding = known.find((one) => one.uri === contact.uri && one.flow === contact.flow.id);
      if (binding === undefined) return { contact, devices: [] };
      const named = contact.gateway === undefined ? [] : readDevices(binding.params);
      return { contact, devices: named.length === 0 ? [deviceOf(binding, sha256)] : named };
    });
  }

  /** True where something was registered over this flow. */
  keeps(flow: Flow): boolean {
    return this.#flows.has(flow.id);
  }

  /** What came over a flow that is gone is gone. */
  lost(flow: Flow): void {
    const known = this.#flows.get(flow.id);
    if (known === undefined) return;
    this.#flows.delete(flow.id);
    for (const line of known.lines) {
      const bindings = this.#lines.get(line);
      if (bindings !== undefined) removeFlow(bindings, flow.id);
      if (bindings?.length === 0) this.#lines.delete(line);
    }
  }

  /** A line that exists no more. */
  forget(line: string): void {
    this.#lines.delete(line);
  }

  /** Drops what has expired by `now`, and flows that no binding uses. */
  sweep(now: number): void {
    const used = new Set<string>();
    for (const [line, bindings] of this.#lines) {
      removeExpired(bindings, now);
      if (bindings.length === 0) this.#lines.delete(line);
      for (const one of bindings) used.add(one.flow);
    }
    for (const id of this.#flows.keys()) if (!used.has(id)) this.#flows.delete(id);
  }

  /** The lines that can be rung, of all or of those named. */
  list(lines: readonly string[] | undefined, now: number): Registration[] {
    const found: Registration[] = [];
    for (const line of lines ?? this.#lines.keys()) {
      const one = this.registration(line, now);
      if (one !== undefined) found.push(one);
    }
    return found;
  }

  /** Where the phones of a line are; undefined where none is. */
  registration(line: string, now: number): Registration | undefined {
    const contacts = this.contacts(line, now);
    if (contacts.length === 0) return undefined;
    const gateway = contacts.find((one) => one.gateway !== undefined)?.gateway;
    const direct = contacts.some((one) => one.gateway === undefined);
    const count = contacts.length;
    return gateway === undefined ? { line, contacts: count, direct } : { line, contacts: count, direct, gateway };
  }

  /** Lines with at least one binding. */
  get size(): number {
    return this.#lines.size;
  }
}
