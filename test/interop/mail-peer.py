"""Another operator's mail server for the tests: takes mail on loopback, refuses some of it, and says what came as lines of JSON.

usage: mail-peer.py ZONE.json     (ZONE: names of TXT records and their values, for DKIM, read anew for every mail)
       mail-peer.py sign DOMAIN SELECTOR KEY.pem < mail     (signs a mail, as that operator would)
"""

import asyncio
import email
import json
import sys

import dkim
from aiosmtpd.smtp import SMTP


def say(what):
    print(json.dumps(what), flush=True)


class Peer:
    def __init__(self, zone):
        self.zone = zone
        self.seen = {}

    async def handle_RCPT(self, server, session, envelope, address, options):
        user = address.split("@")[0]
        self.seen[address] = self.seen.get(address, 0) + 1
        if user.startswith("nobody"):
            return "550 5.1.1 no such user here"
        if user.startswith("later") and self.seen[address] == 1:
            return "451 4.7.1 not now"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 fine"

    async def handle_DATA(self, server, session, envelope):
        mail = email.message_from_bytes(envelope.original_content)
        with open(self.zone, encoding="ascii") as file:
            zone = json.load(file)
        lookup = lambda name, timeout=5: zone.get(name.decode().rstrip("."), "").encode() or None
        good = "DKIM-Signature" in mail and dkim.verify(envelope.original_content, dnsfunc=lookup)
        say({
            "from": envelope.mail_from,
            "to": envelope.rcpt_tos,
            "subject": mail["Subject"],
            "messageId": mail["Message-ID"],
            "signed": mail["DKIM-Signature"],
            "dkim": bool(good),
        })
        if any(one.startswith("heavy") for one in envelope.rcpt_tos):
            return "552 5.3.4 too much for us"
        if any(one.startswith("slow") for one in envelope.rcpt_tos):
            await asyncio.sleep(0.3)
        return "250 2.0.0 taken"


def sign(domain, selector, key):
    mail = sys.stdin.buffer.read()
    with open(key, "rb") as file:
        sys.stdout.buffer.write(dkim.sign(mail, selector.encode(), domain.encode(), file.read()) + mail)


async def serve(zone):
    peer = Peer(zone)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(peer, hostname="other.example", loop=loop), "127.0.0.1", 0)
    say({"port": server.sockets[0].getsockname()[1]})
    # Ends when whoever started it closes its input.
    await loop.run_in_executor(None, sys.stdin.read)
    server.close()


if sys.argv[1] == "sign":
    sign(*sys.argv[2:5])
else:
    asyncio.run(serve(sys.argv[1]))
