/**
 * A real endpoint on virtual time, with a careless user, under hostile messages: strangers' ones, and ones that know the transactions
 * and dialogs that live. Whatever comes, it must not throw, must answer little and readably, and must forget.
 */
import { Endpoint } from '#shared/sip/endpoint.ts';
import { type Framed, StreamFraming } from '#shared/sip/framing.ts';
import type { SipMessage } from '#shared/sip/message.ts';
import { parse } from '#shared/sip/parse.ts';
import { plainFinal } from '#shared/sip/plain-final.ts';
import type { EndpointOutput, Flow } from '#shared/sip/types.ts';
import { validate } from '#shared/sip/validate.ts';
import { write } from '#shared/sip/write.ts';
import { seeded as drawing } from './mutate.ts';
import { seeded } from './sip-duo.ts';
import type { Draw } from './sip-fuzz.ts';
import { HostilePeer, SDP } from './sip-fuzz-peer.ts';

const ALLOW = [
  'INVITE',
  'ACK',
  'CANCEL',
  'BYE',
  'OPTIONS',
  'UPDATE',
  'INFO',
  'MESSAGE',
  'REFER',
  'NOTIFY',
  'SUBSCRIBE',
  'REGISTER',
];
/** Calls that the user lets live. */
const CALLS = 24;
const HA1 = 'a'.repeat(32);
const CREDENTIALS = { username: 'u', realm: 'a.example', ha1: { md5: HA1, sha256: HA1 } };

const pick = <T>(list: readonly T[], draw: Draw): T | undefined => list[Math.floor(draw() * list.length)];

const branchOf = (message: SipMessage) => message.topVia?.params.get('branch');

const flowOf = (id: string, protocol: 'udp' | 'tcp', us: string, them: string): Flow => ({
  ...{ id, protocol, peer: { kind: 'none' } },
  local: { host: us, port: 5060 },
  remote: { host: them, port: 5060 },
});

/** What one run showed. */
export interface Tally {
  messages: number;
  /** Those that were taken as SIP without fault. */
  sound: number;
  /** Messages of ours: answers, and requests. */
  answers: number;
  requests: number;
  calls: number;
}

export class FuzzRig {
  readonly tally: Tally = { messages: 0, sound: 0, answers: 0, requests: 0, calls: 0 };
  readonly #draw: Draw;
  readonly #peer: HostilePeer;
  readonly #endpoint: Endpoint;
  readonly #flows: readonly Flow[];
  #streams = new StreamFraming();
  #now = 1_000;
  readonly #calls: string[] = [];

  constructor(seed: number, corpus: readonly string[]) {
    this.#draw = drawing(seed);
    this.#peer = new HostilePeer(this.#draw, corpus, { us: '192.0.2.1', them: '192.0.2.9' });
    this.#endpoint = new Endpoint({
      ...{ random: seeded(seed), allow: ALLOW, backToBack: seed % 2 === 0, reliable: true, sessionExpires: 1800 },
      hash: (algorithm, text) => `${algorithm}${text.length}`,
    });
    this.#flows = [
      flowOf('u4', 'udp', '192.0.2.1', '192.0.2.9'),
      flowOf('u6', 'udp', '2001:db8::1', '2001:db8::9'),
      flowOf('t4', 'tcp', '192.0.2.1', '192.0.2.9'),
    ];
  }

  /** Sends `count` more messages, lets everything end, and gives the tally of all. Throws where the endpoint did wrong, with the message that showed it. */
  run(count: number): Tally {
    for (let number = 0; number < count; number++) {
      const text = this.#peer.next();
      try {
        this.#deliver(text);
        this.#pass(pick([0, 0, 1, 5, 100, 600, 5_000], this.#draw) ?? 0);
        if (this.#draw() < 0.05) this.#whim();
      } catch (error) {
        throw new Error(`message ${this.tally.messages}: ${error}: ${JSON.stringify(text)}`, { cause: error });
      }
    }
    this.#finish();
    return this.tally;
  }

  #deliver(text: string): void {
    this.tally.messages++;
    const flow = pick(this.#flows, this.#draw);
    if (flow === undefined) return;
    if (flow.protocol === 'udp') {
      this.#receive(text, flow);
      return;
    }
    this.#streams.push(Uint8Array.from(text, (char) => char.charCodeAt(0)));
    for (let frame: Framed | undefined = this.#streams.next(); frame !== undefined; frame = this.#streams.next()) {
      if ('message' in frame) this.#receive(frame.message, flow);
      else if ('bad' in frame) {
        this.#broken(flow);
        return;
      }
    }
    // A peer that does not finish its message is cut off.
    if (this.#streams.unfinished && this.#draw() < 0.3) this.#broken(flow);
  }

  #broken(flow: Flow): void {
    this.#streams = new StreamFraming();
    this.#act((out) => this.#endpoint.flowClosed(flow, this.#now, out));
  }

  #receive(text: string, flow: Flow): void {
    const out: EndpointOutput[] = [];
    this.#endpoint.receive(text, flow, this.#now, out);
    const read = parse(text);
    const sound = read.ok && validate(read.message) === undefined;
    if (sound) this.tally.sound++;
    // Of a malformed final response something is taken: it is acknowledged, and ended or tried again, as a sound one.
    const heard = sound ? read.message : read.message && plainFinal(read.message);
    const sent = out.filter((one) => one.do === 'send');
    // CANCEL and BYE end an INVITE besides their own answer, PRACK lets its 200 go; a message may also free a request that waited for it.
    const answers = sent.filter(({ message }) => message.kind === 'response').length;
    const twice = sound && /^(?:CANCEL|BYE|PRACK)$/.test(read.message.method);
    if (answers > (twice ? 2 : 1) || sent.length > (heard ? 2 : 1))
      throw new Error(`${sent.length} messages for one: ${sent.map((one) => write(one.message)).join('|')}`);
    for (const one of sent) this.#judge(one.text ?? write(one.message), text, heard);
    this.#carryOut(out);
  }

  /** What we send is whole, an answer is in proportion to its request, and it answers that. */
  #judge(answer: string, cause: string, asked: SipMessage | undefined): void {
    const read = parse(answer);
    if (!read.ok) throw new Error(`sent ${read.reason}: ${answer}`);
    // The INVITE that a CANCEL or BYE ends may have been larger than they are.
    const own = asked === undefined || (read.message.kind === 'response' && read.message.method === asked.method);
    if (own && answer.length > 2 * cause.length + 1_200)
      throw new Error(`${cause.length} octets gave ${answer.length}`);
    if (asked === undefined) return;
    const fault = validate(read.message);
    if (fault !== undefined) throw new Error(`sent ${fault.reason}: ${answer}`);
    // A copy is known by its branch (RFC 3261 section 17.2.3), whatever else it says.
    const same = read.message.callId === asked.callId || branchOf(read.message) === branchOf(asked);
    if (read.message.kind === 'response' && asked.kind === 'request' && !same)
      throw new Error(`answered another: ${answer}`);
  }

  #act(run: (out: EndpointOutput[]) => void): void {
    const out: EndpointOutput[] = [];
    run(out);
    this.#carryOut(out);
  }

  #carryOut(out: readonly EndpointOutput[]): void {
    for (const one of out) {
      if (one.do === 'send') this.#sent(one.text ?? write(one.message), one.message);
      else this.#decide(one);
    }
  }

  #sent(text: string, message: SipMessage): void {
    if (message.kind === 'request') this.tally.requests++;
    else this.tally.answers++;
    this.#peer.heard(text);
  }

  /** The careless user: rings, answers, refuses, forgets. */
  #decide(output: Exclude<EndpointOutput, { do: 'send' }>): void {
    const draw = this.#draw;
    const end = this.#endpoint;
    const now = this.#now;
    if (output.do === 'incoming') {
      this.#keep(output.call);
      const chance = draw();
      if (chance < 0.6) this.#act((out) => end.progress(output.call, 180, draw() < 0.5 ? { sdp: SDP } : {}, now, out));
      if (chance < 0.4)
        this.#act((out) => end.answer(output.call, { sdp: SDP, contact: 'sip:us@192.0.2.1' }, now, out));
      else if (chance > 0.8) this.#act((out) => end.reject(output.call, 486, {}, now, out));
    } else if (output.do === 'request' || output.do === 'in-dialog') {
      if (draw() < 0.9)
        this.#act((out) => end.reply(output.transaction, pick([200, 202, 404, 489], draw) ?? 200, {}, now, out));
    } else if (output.do === 'offer') {
      const chance = draw();
      if (chance < 0.7) this.#act((out) => end.acceptOffer(output.call, SDP, now, out));
      else if (chance < 0.9) this.#act((out) => end.refuseOffer(output.call, 488, now, out));
    } else if (output.do === 'answered' && draw() < 0.8)
      this.#act((out) => end.acceptOffer(output.call, SDP, now, out));
  }

  #keep(call: string): void {
    this.tally.calls++;
    this.#calls.push(call);
    if (this.#calls.length <= CALLS) return;
    const oldest = this.#calls.shift();
    if (oldest !== undefined) this.#act((out) => this.#endpoint.hangup(oldest, 'enough', this.#now, out));
  }

  /** Something of our own: a call, a new offer, a question, an end. */
  #whim(): void {
    const draw = this.#draw;
    const end = this.#endpoint;
    const flow = pick(this.#flows, draw);
    const call = pick(this.#calls, draw);
    const chance = draw();
    if (chance < 0.5 && flow !== undefined) {
      const offer = draw() < 0.7 ? { sdp: SDP } : {};
      const to = {
        uri: 'sip:b@b.example',
        from: '"A" <sip:a@a.example>',
        to: '<sip:b@b.example>',
        contact: 'sip:us@192.0.2.1',
      };
      this.#act((out) => this.#keep(end.invite({ ...to, ...offer, flow, credentials: CREDENTIALS }, this.#now, out)));
    } else if (call === undefined) return;
    else if (chance < 0.6) this.#act((out) => end.reoffer(call, SDP, this.#now, out));
    else if (chance < 0.7) this.#act((out) => end.requestInDialog(call, 'INFO', { body: 'x' }, this.#now, out));
    else if (chance < 0.8) this.#act((out) => end.probe(call, this.#now, out));
    else this.#act((out) => end.hangup(call, 'Q.850;cause=16', this.#now, out));
  }

  #pass(ms: number): void {
    const until = this.#now + ms;
    while (this.#endpoint.due() <= until) {
      this.#now = Math.max(this.#now, this.#endpoint.due());
      this.#act((out) => this.#endpoint.tick(this.#now, out));
    }
    this.#now = until;
  }

  /** Everything ends by itself once the user lets go; nothing is left then. */
  #finish(): void {
    for (const call of this.#calls.splice(0)) this.#act((out) => this.#endpoint.hangup(call, '', this.#now, out));
    // Longer than any timer of a transaction and than any call rings (600 s).
    this.#pass(2_000_000);
    for (const call of this.#calls.splice(0)) this.#act((out) => this.#endpoint.hangup(call, '', this.#now, out));
    this.#pass(2_000_000);
    const left = { ...this.#endpoint.counts(), waiting: this.#endpoint.waiting };
    if (left.transactions + left.calls + left.waiting > 0) throw new Error(`left behind: ${JSON.stringify(left)}`);
  }
}
