/**
 * A whole cloud in this process whose UDP leads nowhere but to phones in the same process, for benches of what a call and a registration
 * cost and leave behind: neither the kernel nor another program nor their load takes part.
 */
import { hash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { threadEngine } from '#cloud/farm/media/server.ts';
import { startCloud } from '#cloud/main.ts';
import { openStore } from '#cloud/store/server.ts';
import { hostWorld } from '#shared/host/world.ts';
import type { Address, World } from '#shared/kernel/world.ts';

const SWITCH: Address = { host: '127.0.0.1', port: 5060 };
const CALLER: Address = { host: '127.0.0.1', port: 40_000 };
const CALLEE: Address = { host: '127.0.0.1', port: 40_001 };
const SDP =
  'v=0\r\no=bench 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 6000 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n';

/** A world whose UDP leads from the switch to `deliver`; `send` brings a datagram to the switch in a turn of its own. */
class Wire {
  readonly world: World;
  deliver: (text: string, to: Address) => void = () => {};
  #hear: ((data: Uint8Array, from: Address) => void) | undefined;
  /** Other sockets of the switch, which ask it how late it is. */
  readonly #others = new Map<number, (data: Uint8Array, from: Address) => void>();
  #next: (() => void)[] = [];

  constructor(world: World) {
    const net = { ...world.net };
    net.udp = async (options, onMessage) => {
      if (options.port === SWITCH.port) {
        this.#hear = onMessage;
        return {
          local: SWITCH,
          send: (data, to) =>
            this.#later(() => {
              const other = this.#others.get(to.port);
              if (other !== undefined) other(data, SWITCH);
              else this.deliver(Buffer.from(data).toString('latin1'), to);
            }),
          close: async () => {},
        };
      }
      const local = { host: '127.0.0.1', port: 50_000 + this.#others.size };
      this.#others.set(local.port, onMessage);
      return { local, send: (data) => this.#later(() => this.#hear?.(data, local)), close: async () => {} };
    };
    // Several of these may run side by side.
    net.listen = (options, onStream) => world.net.listen({ ...options, port: 0 }, onStream);
    this.world = { ...world, net };
  }

  send(text: string, from: Address): void {
    this.#later(() => this.#hear?.(Buffer.from(text, 'latin1'), { ...from }));
  }

  #later(run: () => void): void {
    this.#next.push(run);
    if (this.#next.length === 1) setImmediate(() => this.#turn());
  }

  #turn(): void {
    const due = this.#next;
    this.#next = [];
    for (const run of due) run();
  }
}

interface Line {
  readonly number: string;
  readonly sip: { readonly username: string; readonly password: string; readonly domain: string };
}

const md5 = (text: string): string => hash('md5', text);
function field(text: string, name: string): string {
  const at = text.indexOf(`\r\n${name}: `);
  return at < 0 ? '' : text.slice(at + name.length + 4, text.indexOf('\r\n', at + 2));
}

/** The Authorization that answers a 401. */
function signed(text: string, { sip }: Line, method: string, uri: string): string {
  const nonce = /nonce="([^"]+)"/.exec(field(text, 'WWW-Authenticate'))?.[1] ?? '';
  const ha1 = md5(`${sip.username}:${sip.domain}:${sip.password}`);
  const response = md5(`${ha1}:${nonce}:00000001:c0ffee:auth:${md5(`${method}:${uri}`)}`);
  return `Authorization: Digest username="${sip.username}",realm="${sip.domain}",nonce="${nonce}",uri="${uri}",response="${response}",algorithm=MD5,cnonce="c0ffee",qop=auth,nc=00000001\r\n`;
}

export class Phones {
  /** Final answers other than success and the challenge, by status. */
  readonly refused = new Map<number, number>();
  readonly #wire: Wire;
  readonly #lines: readonly Line[];
  readonly #done = new Map<string, (ok: boolean) => void>();
  #names = 0;

  constructor(wire: Wire, lines: readonly Line[]) {
    this.#wire = wire;
    this.#lines = lines;
    wire.deliver = (text, to) => (to.port === CALLEE.port ? this.#callee(text) : this.#caller(text));
  }

  /** A call from its INVITE to the answer of its BYE. */
  call(): Promise<boolean> {
    const id = `call-${++this.#names}@127.0.0.1`;
    this.#request('INVITE', id, 1, '', SDP);
    return new Promise((resolve) => this.#done.set(id, resolve));
  }

  register(line: number): Promise<boolean> {
    const id = `reg-${line}-${++this.#names}@127.0.0.1`;
    this.#register(id, line, 1, '');
    return new Promise((resolve) => this.#done.set(id, resolve));
  }

  #of(line: number): Line {
    const found = this.#lines[line];
    if (found === undefined) throw new Error('no such line');
    return found;
  }

  #register(id: string, n: number, seq: number, more: string): void {
    const { sip } = this.#of(n);
    const from = n === 1 ? CALLEE : CALLER;
    this.#wire.send(
      `REGISTER sip:${sip.domain} SIP/2.0\r\nVia: SIP/2.0/UDP ${from.host}:${from.port};branch=z9hG4bK-${id.slice(0, -10)}-${seq}\r\nFrom: <sip:${sip.username}@${sip.domain}>;tag=${seq}b${this.#names}\r\nCall-ID: ${id}\r\nCSeq: ${seq} REGISTER\r\nMax-Forwards: 70\r\nContact: <sip:${sip.username}@${from.host}:${from.port}>\r\nTo: <sip:${sip.username}@${sip.domain}>\r\n${more}Expires: 600\r\nContent-Length: 0\r\n\r\n`,
      from,
    );
  }

  #request(method: string, id: string, seq: number, more: string, body = '', to = '', uri = ''): void {
    const { sip } = this.#of(0);
    const target = `sip:${this.#of(1).number}@127.0.0.1:5060`;
    const type = body === '' ? '' : 'Content-Type: application/sdp\r\n';
    const contact = `${CALLER.host}:${CALLER.port}`;
    const branch = `z9hG4bK-${id.slice(0, -10)}-${method === 'ACK' && seq === 1 ? 1 : `${seq}${method}`}`;
    this.#wire.send(
      `${method} ${uri === '' ? target : uri} SIP/2.0\r\nVia: SIP/2.0/UDP ${contact};branch=${method === 'INVITE' && seq === 1 ? branch.replace('1INVITE', '1') : branch}\r\nFrom: <sip:${sip.username}@${sip.domain}>;tag=f${id.slice(5, -10)}\r\nCall-ID: ${id}\r\nCSeq: ${seq} ${method}\r\nMax-Forwards: 70\r\nContact: <sip:${sip.username}@${contact}>\r\nTo: ${to === '' ? `<${target}>` : to}\r\n${more}${type}Content-Length: ${body.length}\r\n\r\n${body}`,
      CALLER,
    );
  }

  #caller(text: string): void {
    const status = Number(text.slice(8, 11));
    const id = field(text, 'Call-ID');
    const [seq = '', method = ''] = field(text, 'CSeq').split(' ');
    if (status < 200) return;
    if (method === 'REGISTER') this.#registered(text, id, status);
    else if (method === 'INVITE' && status >= 300) {
      this.#request('ACK', id, Number(seq), '', '', field(text, 'To'));
      const target = `sip:${this.#of(1).number}@127.0.0.1:5060`;
      if (status !== 401) this.#refuse(id, status);
      else this.#request('INVITE', id, 2, signed(text, this.#of(0), 'INVITE', target), SDP);
    } else if (method === 'INVITE') {
      const uri = field(text, 'Contact').slice(1, -1);
      this.#request('ACK', id, 2, '', '', field(text, 'To'), uri);
      this.#request('BYE', id, 3, '', '', field(text, 'To'), uri);
    } else if (method === 'BYE') this.#end(id, status === 200);
  }

  #registered(text: string, id: string, status: number): void {
    const n = Number(id.split('-')[1]);
    const { sip } = this.#of(n);
    if (status === 401 && field(text, 'CSeq').startsWith('1 '))
      this.#register(id, n, 2, signed(text, this.#of(n), 'REGISTER', `sip:${sip.domain}`));
    else this.#end(id, status === 200);
  }

  #refuse(id: string, status: number): void {
    this.refused.set(status, (this.refused.get(status) ?? 0) + 1);
    this.#end(id, false);
  }

  #end(id: string, ok: boolean): void {
    this.#done.get(id)?.(ok);
    this.#done.delete(id);
  }

  #callee(text: string): void {
    // The callee’s registration.
    if (text.startsWith('SIP/2.0')) {
      this.#caller(text);
      return;
    }
    const method = text.slice(0, text.indexOf(' '));
    if (method === 'ACK') return;
    const head = ['Via', 'From', 'Call-ID', 'CSeq'].map((name) => `${name}: ${field(text, name)}\r\n`).join('');
    const to = field(text, 'To');
    const tagged = to.includes(';tag=') ? to : `${to};tag=u${field(text, 'Call-ID')}`;
    const contact = `Contact: <sip:${CALLEE.host}:${CALLEE.port}>\r\n`;
    if (method === 'INVITE') {
      this.#wire.send(`SIP/2.0 180 Ringing\r\n${head}To: ${tagged}\r\n${contact}Content-Length: 0\r\n\r\n`, CALLEE);
      this.#wire.send(
        `SIP/2.0 200 OK\r\n${head}To: ${tagged}\r\n${contact}Content-Type: application/sdp\r\nContent-Length: ${SDP.length}\r\n\r\n${SDP}`,
        CALLEE,
      );
    } else this.#wire.send(`SIP/2.0 200 OK\r\n${head}To: ${tagged}\r\n${contact}Content-Length: 0\r\n\r\n`, CALLEE);
  }
}

/** `count` times `one`, `together` at once; how many failed. */
export async function many(count: number, together: number, one: (n: number) => Promise<boolean>): Promise<number> {
  let [begun, failed] = [0, 0];
  const work = async () => {
    while (begun < count) if (!(await one(begun++))) failed++;
  };
  await Promise.all(Array.from({ length: together }, work));
  return failed;
}

/** Runs `use` with the phones of such a cloud, the callee registered; stops the cloud and removes what it wrote. */
export async function withSwitch(use: (phones: Phones, lines: number) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'hearthline-bench-'));
  try {
    const wire = new Wire(hostWorld({ level: 'error' }));
    const at = { host: '127.0.0.1', port: 0 };
    const store = await openStore(join(folder, 'hearthline.db'));
    const media = { host: at.host, low: 30_000, high: 30_199 };
    const settings = { data: folder, http: at, mqtt: at, sip: SWITCH, sips: at, media };
    const cloud = await startCloud(wire.world, settings, { store, engineFor: threadEngine, trusting: true });
    const post = async <T>(path: string, body: object): Promise<T> => {
      const headers = { authorization: `Bearer ${cloud.operatorToken}`, 'content-type': 'application/json' };
      const asked = { method: 'POST', headers, body: JSON.stringify(body) };
      return (await (await fetch(`${cloud.config.bound.http}${path}`, asked)).json()) as T;
    };
    const lines: Line[] = [];
    for (let i = 0; i < 4; i++) {
      const { id } = await post<{ id: string }>('/v1/homes', { name: `Bench ${i}` });
      for (let k = 0; k < 32; k++) lines.push(await post(`/v1/homes/${id}/lines`, { class: 'unmetered' }));
    }
    const phones = new Phones(wire, lines);
    if (!(await phones.register(1))) throw new Error('the callee could not register');
    await use(phones, lines.length);
    // What the last calls leave to write.
    await pause(1_000);
    await cloud.stop();
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
