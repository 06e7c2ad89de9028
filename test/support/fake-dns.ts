/** A DNS server of the tests' own on loopback: the TXT and MX records of a zone, and NXDOMAIN for everything else (RFC 1035). */
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';

const TYPES: Readonly<Record<number, string>> = { 1: 'A', 15: 'MX', 16: 'TXT', 28: 'AAAA' };

export class FakeDns {
  readonly #socket: Socket;
  readonly zone = new Map<string, string>();

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('message', (query, from) => socket.send(this.#answer(query), from.port, from.address));
  }

  static async open(): Promise<FakeDns> {
    const socket = createSocket('udp4');
    socket.bind(0, '127.0.0.1');
    await once(socket, 'listening');
    return new FakeDns(socket);
  }

  /** `host:port`. */
  get address(): string {
    return `127.0.0.1:${this.#socket.address().port}`;
  }

  close(): void {
    this.#socket.close();
  }

  #answer(query: Buffer): Buffer {
    const labels: string[] = [];
    let at = 12;
    for (let size = query[at] ?? 0; size > 0; size = query[at] ?? 0) {
      labels.push(query.toString('latin1', at + 1, at + 1 + size));
      at += 1 + size;
    }
    const question = query.subarray(12, at + 5);
    const name = labels.join('.').toLowerCase();
    const type = TYPES[query.readUInt16BE(at + 1)] ?? '?';
    const value = this.zone.get(`${type} ${name}`);
    const known = value !== undefined || [...this.zone.keys()].some((key) => key.endsWith(` ${name}`));
    const header = Buffer.alloc(12);
    header.writeUInt16BE(query.readUInt16BE(0), 0);
    header.writeUInt16BE(0x8580 | (known ? 0 : 3), 2);
    header.writeUInt16BE(1, 4);
    header.writeUInt16BE(value === undefined ? 0 : 1, 6);
    if (value === undefined) return Buffer.concat([header, question]);
    const data = type === 'TXT' ? txt(value) : mx(value);
    const record = Buffer.alloc(12);
    record.writeUInt16BE(0xc00c, 0);
    record.writeUInt16BE(type === 'TXT' ? 16 : 15, 2);
    record.writeUInt16BE(1, 4);
    record.writeUInt32BE(60, 6);
    record.writeUInt16BE(data.length, 10);
    return Buffer.concat([header, question, record, data]);
  }
}

/** Strings of at most 255 octets. */
function txt(value: string): Buffer {
  const parts = value.match(/.{1,255}/g) ?? [];
  return Buffer.concat(parts.map((part) => Buffer.concat([Buffer.of(part.length), Buffer.from(part, 'latin1')])));
}

function mx(host: string): Buffer {
  const labels = host.split('.').map((label) => Buffer.concat([Buffer.of(label.length), Buffer.from(label, 'latin1')]));
  return Buffer.concat([Buffer.of(0, 10), ...labels, Buffer.of(0)]);
}
