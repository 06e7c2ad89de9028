/** Streams of events over HTTP: of one session, and of everything that a credential sees. */
import type { Context } from '#cloud/bus/bus.ts';
import { type EventCursor, readCursor, writeCursor } from '#cloud/store/event-reader.ts';
import { type Fault, fault } from '#shared/protocol/fault.ts';
import type { VerbReply, VerbRequest } from '#shared/protocol/verbs/index.ts';
import type { Feed } from '../events/feed.ts';
import { type Following, follow } from '../events/follow.ts';
import { hearingOf } from '../events/hearing.ts';
import { mayCall } from './access.ts';
import type { Credential } from './credentials.ts';
import { type EventStream, eventStream, HEARTBEAT } from './event-stream.ts';
import { type Answer, problemAnswer } from './problem.ts';
import type { Admission, ApiContext, Incoming } from './request.ts';
import type { Route } from './routes.ts';

/** Event streams open at once for one credential. */
export const STREAMS_PER_TOKEN = 32;

/** A stream of server-sent events instead of an answer. */
export interface Streaming {
  readonly stream: EventStream;
}

/** Says whose a request is now; asked again while a stream lasts. */
type Identify = (incoming: Incoming) => Promise<{ readonly credential: Credential | undefined }>;

interface Asked {
  readonly route: Route;
  readonly incoming: Incoming;
  readonly admission: Admission;
}

export class Streams {
  readonly #context: ApiContext;
  readonly #feed: Feed;
  readonly #identify: Identify;
  readonly #open = new Map<string, number>();

  constructor(context: ApiContext, feed: Feed, identify: Identify) {
    this.#context = context;
    this.#feed = feed;
    this.#identify = identify;
  }

  /** The events of one session, from `after` on until it ends. */
  async session(asked: Asked, request: VerbRequest<'session.events'>): Promise<Answer | Streaming> {
    const { route, incoming, admission } = asked;
    const refuse = (reason: Fault) => problemAnswer(reason, incoming.path, route.verb);
    const full = this.full(admission);
    if (full !== undefined) return refuse(full);
    const { bus } = this.#context;
    const after = request.after ?? 0;
    const first = await bus.request('session.events', { session: request.session, after }, admission.context);
    if (!first.ok) return refuse(first.fault);
    if (await this.#isOver(request.session, admission.context, first.value))
      return { status: 204, headers: {}, body: '', verb: route.verb, outcome: 'ok' };
    const contextNow = async () => {
      const principal = await this.#principalNow(asked);
      return principal === undefined ? undefined : { ...admission.context, principal };
    };
    const stream = eventStream(this.#context, contextNow, request.session, after, first.value);
    return { stream: this.#counted(admission, stream) };
  }

  /** Everything that the credential may hear, as server-sent events; the id is the cursor behind each. */
  async events(asked: Asked, request: VerbRequest<'event.list'>): Promise<Answer | Streaming> {
    const { route, incoming, admission } = asked;
    const full = this.full(admission);
    if (full !== undefined) return problemAnswer(full, incoming.path, route.verb);
    const from = readCursor(incoming.header('last-event-id') ?? request.after ?? '') ?? (await this.#feed.newest());
    const stream = toServerSent(this.follow(asked, request, from), from);
    return { stream: this.#counted(admission, stream) };
  }

  /** Follows for a request; ends once its credential may hear no more. */
  follow(asked: Asked, request: VerbRequest<'event.list'>, from: EventCursor): Following {
    const hearing = async () => {
      const principal = await this.#principalNow(asked);
      return principal === undefined ? undefined : hearingOf(principal, request);
    };
    return follow({ feed: this.#feed, clock: this.#context.world.clock }, from, hearing, HEARTBEAT);
  }

  /** The place behind everything that has happened. */
  newest(): Promise<EventCursor> {
    return this.#feed.newest();
  }

  /** The fault of one more stream than a credential may have. */
  full({ credential }: Admission): Fault | undefined {
    return (this.#open.get(credential?.tokenHash ?? '') ?? 0) < STREAMS_PER_TOKEN
      ? undefined
      : fault('rate_limited', `At most ${STREAMS_PER_TOKEN} event streams at once.`, { retryAfter: 5000 });
  }

  /** Counts a stream of the credential until the returned function is called. */
  enter({ credential }: Admission): () => void {
    const owner = credential?.tokenHash ?? '';
    this.#open.set(owner, (this.#open.get(owner) ?? 0) + 1);
    let open = true;
    return () => {
      if (!open) return;
      open = false;
      const left = (this.#open.get(owner) ?? 1) - 1;
      if (left === 0) this.#open.delete(owner);
      else this.#open.set(owner, left);
    };
  }

  #counted(admission: Admission, stream: EventStream): EventStream {
    const leave = this.enter(admission);
    return {
      chunks: stream.chunks,
      close: () => {
        stream.close();
        leave();
      },
    };
  }

  async #principalNow({ incoming, route }: Asked) {
    const { credential } = await this.#identify(incoming);
    if (credential === undefined || mayCall(route.entry, credential.principal) !== undefined) return undefined;
    return credential.principal;
  }

  /** Nothing is left to stream: 204 tells an EventSource not to come back. */
  async #isOver(session: string, context: Context, page: VerbReply<'session.events'>): Promise<boolean> {
    if (page.items.length > 0) return false;
    const state = await this.#context.bus.request('session.get', { session }, context);
    return state.ok && state.value.state === 'ended';
  }
}

/** A block with an id alone moves a client's Last-Event-ID without an event (HTML, "Interpreting an event stream"). */
function toServerSent({ batches, close }: Following, from: EventCursor): EventStream {
  async function* chunks(): AsyncGenerator<string> {
    yield `retry: 2000\nid: ${writeCursor(from)}\n\n`;
    for await (const { items, cursor } of batches) {
      const texts = items.map((item) => `id: ${writeCursor(item.cursor)}\ndata: ${item.text}\n\n`);
      yield items.length === 0 ? `: still here\nid: ${writeCursor(cursor)}\n\n` : texts.join('');
    }
  }
  return { chunks: chunks(), close };
}
