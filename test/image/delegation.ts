/**
 * A provider that hands a network to a router (RFC 8415, prefix delegation), as small as it can be: `delegation.ts PORT PREFIX` says on
 * the LAN of PORT that addresses are managed (RFC 4861, router advertisement), answers a router's questions with PREFIX (a /56), and
 * writes `delegated ADDRESS` for each answer. Run as root in a namespace of its own.
 */
import { spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';

const [SOLICIT, ADVERTISE, REQUEST, RENEW, REBIND, REPLY] = [1, 2, 3, 5, 6, 7];
const [CLIENT_ID, SERVER_ID, RAPID, IA_PD, IA_PREFIX] = [1, 2, 14, 25, 26];
/** Seconds that the prefix lasts, and after which it is asked for again. */
const [LASTS, AGAIN] = [7200, 3600];
/** A DUID by link-layer address (RFC 8415, section 11.4) of nobody's. */
const SERVER = Buffer.from('00030001020000000001', 'hex');

const option = (code: number, data: Buffer): Buffer => {
  const head = Buffer.alloc(4);
  head.writeUInt16BE(code, 0);
  head.writeUInt16BE(data.length, 2);
  return Buffer.concat([head, data]);
};
const numbers = (...values: number[]): Buffer => {
  const data = Buffer.alloc(4 * values.length);
  for (const [index, value] of values.entries()) data.writeUInt32BE(value, 4 * index);
  return data;
};

/** Options of a message, by code; the first of each counts. */
function optionsOf(message: Buffer): Map<number, Buffer> {
  const found = new Map<number, Buffer>();
  for (let at = 4; at + 4 <= message.length; ) {
    const [code, length] = [message.readUInt16BE(at), message.readUInt16BE(at + 2)];
    if (!found.has(code)) found.set(code, message.subarray(at + 4, at + 4 + length));
    at += 4 + length;
  }
  return found;
}

/** The octets of `xxxx:xxxx:xxxx:xx00::`. */
function prefixOctets(prefix: string): Buffer {
  const octets = Buffer.alloc(16);
  for (const [index, group] of prefix.replace('::', '').split(':').entries())
    octets.writeUInt16BE(Number.parseInt(group, 16), 2 * index);
  return octets;
}

/** The answer to a router's question; undefined where it asks for no network. */
function answer(question: Buffer, prefix: string): Buffer | undefined {
  const asked = optionsOf(question);
  const [client, wanted] = [asked.get(CLIENT_ID), asked.get(IA_PD)];
  const kind = question[0] ?? 0;
  if (client === undefined || wanted === undefined || ![SOLICIT, REQUEST, RENEW, REBIND].includes(kind))
    return undefined;
  const quick = kind === SOLICIT && asked.has(RAPID);
  const head = Buffer.from(question.subarray(0, 4));
  head[0] = kind === SOLICIT && !quick ? ADVERTISE : REPLY;
  const given = Buffer.concat([numbers(LASTS, LASTS), Buffer.from([56]), prefixOctets(prefix)]);
  return Buffer.concat([
    head,
    option(CLIENT_ID, client),
    option(SERVER_ID, SERVER),
    ...(quick ? [option(RAPID, Buffer.alloc(0))] : []),
    option(IA_PD, Buffer.concat([wanted.subarray(0, 4), numbers(AGAIN, AGAIN), option(IA_PREFIX, given)])),
  ]);
}

/**
 * Node has no raw sockets; perl-base is on every Debian. Advertises a router with managed addresses, twice a second, until its
 * parent is gone.
 */
const ADVERTISE_ROUTER = `use Socket qw(:all);
my $parent = getppid;
my $scope = do { open my $f, "<", "/sys/class/net/$ARGV[0]/ifindex"; <$f> + 0 };
socket(my $s, AF_INET6, SOCK_RAW, 58) or die $!;
setsockopt($s, 41, 18, pack("i", 255)); setsockopt($s, 41, 17, pack("i", $scope));
while (getppid == $parent) { send($s, pack("C C n C C n N N", 134, 0, 0, 64, 0xc0, 1800, 0, 0), 0, pack_sockaddr_in6(0, inet_pton(AF_INET6, "ff02::1"), $scope)); select(undef, undef, undef, 0.5) }`;

if (import.meta.main) {
  const [port = '', prefix = ''] = process.argv.slice(2);
  spawn('perl', ['-e', ADVERTISE_ROUTER, port], { stdio: 'inherit' });
  const socket = createSocket('udp6');
  socket.on('message', (question, from) => {
    const reply = answer(question, prefix);
    if (reply === undefined) return;
    socket.send(reply, from.port, from.address, () => {
      if (reply[0] === REPLY) process.stdout.write(`delegated ${from.address}\n`);
    });
  });
  socket.bind(547, () => socket.addMembership('ff02::1:2', `::%${port}`));
}
