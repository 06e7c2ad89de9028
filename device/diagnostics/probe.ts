/** Things that are tried on the network, each bounded in time. Every one resolves to a probe and never rejects for the network's sake. */
import { fromLatin1, hex, latin1 } from '#shared/kernel/bytes.ts';
import { within } from '#shared/kernel/time.ts';
import { type Address, type ConnectOptions, NetError, type UdpSocket, type World } from '#shared/kernel/world.ts';
import { EngineError, type MediaEngine } from '#shared/media-engine/engine.ts';
import { type CloudUrl, DISCOVERY_PATH } from '#shared/protocol/pairing.ts';
import { readDiscovery } from '../pairing/discovery.ts';
import type { Probe } from './facts.ts';
import { nameQuery, readNameAnswer } from './name-query.ts';

/** Milliseconds of one try. */
export const PROBE_TIME = 4_000;
/** Milliseconds that an answer to one datagram may take. */
const PATIENCE = 1_500;

type Net = Pick<World, 'clock' | 'net'>;
const failed = (code: string, text: string): Probe => ({ ok: false, code, text });

/** Runs a try and takes its time; a failure of network, engine or disk becomes a probe. */
export async function tried(world: Pick<World, 'clock'>, work: () => Promise<Probe | undefined>): Promise<Probe> {
  const start = world.clock.mono();
  try {
    const told = await within(world.clock, PROBE_TIME + 500, work(), failed('ETIMEDOUT', 'no answer in time'));
    return told ?? { ok: true, ms: world.clock.mono() - start };
  } catch (error) {
    if (error instanceof NetError || error instanceof EngineError)
      return failed(error.code, `${error.code}: ${error.message}`);
    const code = (error as { code?: unknown }).code;
    return failed(typeof code === 'string' ? code : 'EFAILED', String(error));
  }
}

/** Asks the cloud where it listens, and what time it has: milliseconds by which its clock is ahead of ours, to a second. */
export async function tryDiscovery(
  world: World,
  { origin, ...trust }: CloudUrl,
): Promise<{ readonly discovery: Probe; readonly ahead?: number }> {
  let ahead: number | undefined;
  const discovery = await tried(world, async () => {
    const pin = trust.trust === 'pin' ? { pin: trust.pin } : {};
    const reply = await world.http.request({
      method: 'GET',
      url: origin + DISCOVERY_PATH,
      timeout: PROBE_TIME,
      limit: 16_384,
      ...pin,
    });
    if (reply.status !== 200) return failed('EHTTP', `${origin} answered ${reply.status}`);
    if (readDiscovery(reply.body) === undefined)
      return failed('EHTTP', `${origin} does not answer like a Hearthline cloud`);
    // RFC 9110 section 6.6.1.
    const theirs = Date.parse(reply.headers.date ?? '');
    if (Number.isFinite(theirs)) ahead = theirs - world.clock.wall();
    return undefined;
  });
  return { discovery, ...(ahead === undefined ? {} : { ahead }) };
}

/** Opens a connection and closes it. */
export function tryConnect(world: Net, options: ConnectOptions): Promise<Probe> {
  return tried(world, async () => {
    const stream = await world.net.connect({ timeout: PROBE_TIME, ...options });
    stream.handle({ data() {}, close() {} });
    stream.destroy();
    return undefined;
  });
}

/** Sends one datagram and waits for the first answer that `read` understands. */
async function exchange<T>(
  world: Net,
  from: string,
  to: Address,
  data: Uint8Array,
  read: (data: Uint8Array) => T | undefined,
): Promise<T | undefined> {
  const heard = Promise.withResolvers<T>();
  const socket: UdpSocket = await world.net.udp({ host: from, port: 0 }, (answer) => {
    const value = read(answer);
    if (value !== undefined) heard.resolve(value);
  });
  try {
    socket.send(data, to);
    return await within(world.clock, PATIENCE, heard.promise, undefined);
  } finally {
    await socket.close();
  }
}

/** Asks the gateway's own SIP listener for its options (RFC 3261 section 11), as a phone would. */
export function tryListener(world: World, bound: Address): Promise<Probe> {
  const host = bound.host === '0.0.0.0' ? '127.0.0.1' : bound.host === '::' ? '::1' : bound.host;
  const shown = host.includes(':') ? `[${host}]` : host;
  return tried(world, async () => {
    const name = hex(world.random.bytes(8));
    const text = [
      `OPTIONS sip:${shown}:${bound.port} SIP/2.0`,
      `Via: SIP/2.0/UDP ${shown};branch=z9hG4bK${name};rport`,
      'Max-Forwards: 1',
      `From: <sip:check@${shown}>;tag=${name}`,
      `To: <sip:${shown}>`,
      `Call-ID: check-${name}`,
      'CSeq: 1 OPTIONS',
      'Content-Length: 0',
    ].join('\r\n');
    const read = (data: Uint8Array) => /^SIP\/2\.0 ([0-9]{3})/.exec(latin1(data))?.[1];
    const status = await exchange(world, host, { host, port: bound.port }, fromLatin1(`${text}\r\n\r\n`), read);
    return status === undefined ? failed('ETIMEDOUT', `no answer from ${shown}:${bound.port}`) : undefined;
  });
}

/** Asks the name servers, one after the other, for an address (RFC 1035), and gives the addresses that the first one told. */
export async function tryName(
  world: World,
  servers: readonly string[],
  name: string,
): Promise<{ readonly answer: Probe; readonly addresses: readonly string[] }> {
  let addresses: readonly string[] = [];
  const answer = await tried(world, async () => {
    // A lost datagram says nothing of the server: each is asked twice.
    for (const server of [...servers, ...servers]) {
      const id = new DataView(world.random.bytes(2).buffer).getUint16(0);
      const from = server.includes(':') ? '::' : '0.0.0.0';
      const answer = await exchange(world, from, { host: server, port: 53 }, nameQuery(id, name), (data) =>
        readNameAnswer(id, data),
      );
      if (answer === 'unknown') return failed('NXDOMAIN', `${server} says that ${name} does not exist`);
      if (answer === undefined) continue;
      addresses = answer;
      return undefined;
    }
    return failed('ETIMEDOUT', `no answer from ${servers.join(', ')}`);
  });
  return { answer, addresses };
}

/** Opens a port of the media engine on `host` and frees it. */
export function tryMediaPort(world: World, engine: MediaEngine, host: string): Promise<Probe> {
  const id = 'diagnosis.probe';
  return tried(world, async () => {
    await engine.endpoint({ id, owner: 'diagnosis/probe', group: 'diagnosis', host });
    await engine.release(id);
    return undefined;
  });
}

/** Writes a file and reads it back. */
export function tryDisk(world: World, folder: string): Promise<Probe> {
  const path = `${folder}/probe`;
  return tried(world, async () => {
    const octets = world.random.bytes(64);
    await world.disk.write(path, octets);
    const back = await world.disk.read(path);
    await world.disk.remove(path);
    return back?.join() === octets.join() ? undefined : failed('EIO', 'what was written does not come back');
  });
}
