/** ENUM with a DNS server of others: dnspython reads the zone as operators write it, and answers over real sockets. */
import { spawn } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { hostWorld } from '#shared/host/world.ts';
import { Phone, type PhoneCall } from '#simulator/phone.ts';
import { hasFile } from '#test/peers.ts';
import { headerIn } from '#test/support/carrier.ts';
import { any, LoopbackCloud } from './loopback-cloud.ts';

const PYTHON = '/usr/bin/python3';
const here = [PYTHON, '/usr/lib/python3/dist-packages/dns/zone.py'].every(hasFile);

/** Answers from the zone on its standard input, over UDP and TCP; what is longer than 512 octets is cut for UDP. Prints its port. */
const SERVER = `
import dns.flags, dns.message, dns.rcode, dns.rdatatype, dns.zone, socket, struct, sys, threading
zone = dns.zone.from_text(sys.stdin.read(), origin="enum.test.", relativize=False, check_origin=False)
def answer(wire):
    query = dns.message.from_wire(wire)
    reply = dns.message.make_response(query)
    reply.flags |= dns.flags.RA
    asked = query.question[0]
    name = asked.name
    if zone.get_node(name) is None: reply.set_rcode(dns.rcode.NXDOMAIN)
    alias = zone.get_rrset(name, dns.rdatatype.CNAME)
    if alias:
        reply.answer.append(alias)
        name = alias[0].target
    found = zone.get_rrset(name, asked.rdtype)
    if found: reply.answer.append(found)
    return reply
udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
udp.bind(("127.0.0.1", 0))
tcp = socket.socket()
tcp.bind(udp.getsockname())
tcp.listen()
def streams():
    while True:
        stream = tcp.accept()[0]
        size = struct.unpack("!H", stream.recv(2))[0]
        wire = answer(stream.recv(size)).to_wire()
        stream.sendall(struct.pack("!H", len(wire)) + wire)
threading.Thread(target=streams, daemon=True).start()
print(udp.getsockname()[1], flush=True)
while True:
    wire, peer = udp.recvfrom(512)
    reply = answer(wire)
    if len(reply.to_wire()) > 512:
        reply.answer = []
        reply.flags |= dns.flags.TC
    udp.sendto(reply.to_wire(), peer)
`;

/** `port`: the carrier's. Backslashes stand twice in a zone. */
const zone = (port: number) => String.raw`
$TTL 60
@ IN SOA ns.enum.test. admin.enum.test. 1 3600 600 86400 60
@ IN NS ns.enum.test.
carrier IN A 127.0.0.1
_sip._udp.sbc IN SRV 1 1 ${port} carrier
_sip._udp.sbc IN SRV 0 1 1 nobody
$ORIGIN 0.5.7.8.3.8.1.7.0.2.4.4.enum.test.
@ IN NAPTR 10 10 "u" "E2U+sip" "!^\\+44(.*)$!sip:0\\1@carrier.enum.test:${port}!" .
@ IN NAPTR 10 5 "u" "E2U+email:mailto" "!^.*$!mailto:info@carrier.enum.test!" .
@ IN NAPTR 20 5 "u" "E2U+sip" "!^.*$!sip:later@carrier.enum.test!" .
$ORIGIN 1.5.7.8.3.8.1.7.0.2.4.4.enum.test.
@ IN NAPTR 10 10 "" "" "" elsewhere.enum.test.
$ORIGIN enum.test.
elsewhere IN CNAME there
there IN NAPTR 10 10 "u" "E2U+sip" "!^\\+44[0-9]{3}([0-9]{2})[[:digit:]]*$!sip:by-\\1@sbc.enum.test!" .
2.5.7.8.3.8.1.7.0.2.4.4 IN NAPTR 1 1 "u" "E2U+sip" "!^((\\+|[0-9])+)*[^0-9]$!sip:slow@carrier.enum.test:${port}!" .
${Array.from({ length: 12 }, (_, i) => `3.5.7.8.3.8.1.7.0.2.4.4 IN NAPTR 5 ${50 - i} "u" "E2U+sip" "!^.*$!sip:u${i}@carrier.enum.test:${port};transport=udp!" .`).join('\n')}
`;

describe.skipIf(!here)('ENUM with dnspython', () => {
  let rig: LoopbackCloud;
  let ours: Phone;
  const wire: string[] = [];

  beforeAll(async () => {
    const trace = (direction: 'in' | 'out', text: string) => void (direction === 'in' && wire.push(text));
    const common = { world: hostWorld({ level: 'error' }), host: '127.0.0.1', server: any };
    const far = await Phone.open({ ...common, domain: 'carrier.enum.test', username: 'far', password: 'none', trace });
    const child = spawn(PYTHON, ['-c', SERVER], { stdio: ['pipe', 'pipe', 'inherit'] });
    child.stdin.end(zone(far.address.port));
    const port = await new Promise<number>((resolve) => child.stdout.once('data', (data) => resolve(Number(data))));
    rig = await LoopbackCloud.start({ sipDns: { host: '127.0.0.1', port } });
    rig.phones.push(far);
    rig.children.push(child);
    ours = await rig.phone(await rig.line());
    await rig.ask('enum.set', { suffixes: ['enum.test'], peers: ['.enum.test'] });
  }, 30_000);
  afterAll(() => rig.stop());

  const outcome = async (number: string): Promise<PhoneCall> => {
    wire.length = 0;
    const call = await ours.dial(number);
    await rig.until(() => call.state === 'up' || call.state === 'ended', 'an outcome');
    if (call.state === 'up') {
      expect(wire.some((text) => text.startsWith('INVITE'))).toBe(true);
      call.hangup();
    }
    return call;
  };

  it.each<[string, string, string]>([
    ['by a rule with a group', '+442071838750', '02071838750@carrier.enum.test:'],
    ['by a name elsewhere that is an alias, and SRV', '+442071838751', 'by-18@sbc.enum.test '],
    ['by an answer that only TCP carries', '+442071838753', 'u11@carrier.enum.test:'],
  ])(
    'calls %s',
    async (_name, number, called) => {
      await outcome(number);
      const invite = wire.find((text) => text.startsWith('INVITE')) ?? '';
      expect(invite.slice(0, 200)).toContain(`INVITE sip:${called}`);
      expect(headerIn(invite, 'To')).toContain(called.trim());
    },
    20_000,
  );

  it('is not held up by a rule that was made for that, nor by a number that is not there', async () => {
    for (const number of ['+442071838752', '+442071838759']) expect((await outcome(number)).status).toBe(404);
    expect(wire.filter((text) => text.startsWith('INVITE'))).toEqual([]);
  }, 20_000);
});
