/** Mail with programs that are not ours: swaks at both doors, aiosmtpd as the other operator, dkimpy as judge and as signer. */
import { generateKeyPairSync } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { hasFile, hasProgram } from '../peers.ts';
import { type Mailbox, MailPost, PEER_FILES, pause, until } from './mail-post.ts';

const peers = [hasProgram('swaks'), ...PEER_FILES.map(hasFile)].every(Boolean);
const DOMAIN = 'hearthline.example';

describe.skipIf(!peers)('mail with swaks, aiosmtpd and dkimpy', { timeout: 60_000 }, () => {
  let post: MailPost;
  let elm: Mailbox;
  beforeAll(async () => {
    post = await MailPost.open();
    elm = await post.mailbox('elm');
    await post.publishKey();
  }, 60_000);
  afterAll(() => post?.[Symbol.asyncDispose]());

  const signedIn = () => ['--tls', '--auth', 'PLAIN', '--auth-user', elm.address, '--auth-password', elm.smtp.password];
  const subjects = async () => (await post.inbox(elm.id)).map(({ subject }) => subject);

  describe('submission', () => {
    it('over STARTTLS with the mailbox’s password reaches the other server, signed so that dkimpy says yes', async () => {
      const { code, said } = await post.swaks(
        'submission',
        ...[...signedIn(), '--from', elm.address, '--to', 'ada@other.example', '--header', 'Subject: Outward'],
      );
      expect([code, said]).toEqual([0, expect.stringContaining('2.6.0 Taken as mail_')]);
      const taken = await until(() => post.taken.find(({ subject }) => subject === 'Outward'), 'the mail to arrive');
      expect(taken).toMatchObject({ from: elm.address, to: ['ada@other.example'], dkim: true });
      expect(taken.signed).toMatch(/d=hearthline\.example;/);
    });

    it.each([
      [
        'without TLS',
        () => ['--auth', 'PLAIN', '--auth-user', elm.address, '--auth-password', elm.smtp.password],
        '538',
      ],
      ['without a password', () => ['--tls'], '530'],
      [
        'with a wrong password',
        () => ['--tls', '--auth', 'LOGIN', '--auth-user', elm.address, '--auth-password', 'x'],
        '535 5.7.8',
      ],
    ])('%s is refused', async (_what, how, reply) => {
      const { code, said } = await post.swaks('submission', ...how(), '--from', elm.address, '--to', elm.address);
      expect(code).not.toBe(0);
      expect(said).toContain(reply);
      expect(said).not.toContain('Taken');
    });

    it('as somebody else is refused, in the envelope and in From', async () => {
      const other = ['--to', 'ada@other.example', '--from', `postmaster@${DOMAIN}`];
      expect((await post.swaks('submission', ...signedIn(), ...other)).said).toContain('553 5.7.1');
      const from = ['--from', elm.address, '--h-From', `postmaster@${DOMAIN}`, '--to', 'ada@other.example'];
      expect((await post.swaks('submission', ...signedIn(), ...from)).said).toContain('550 5.7.1');
    });
  });

  describe('inbound', () => {
    it('mail for a mailbox is taken; unknown, foreign and spoofed are not', async () => {
      const from = ['--from', 'bob@plain.example'];
      const good = await post.swaks('smtp', ...from, '--to', elm.address, '--header', 'Subject: Inward');
      expect([good.code, await subjects()]).toEqual([0, expect.arrayContaining(['Inward'])]);
      const say = async (...words: string[]) => (await post.swaks('smtp', ...words)).said;
      expect(await say(...from, '--to', `nobody@${DOMAIN}`)).toContain('550 5.1.1');
      expect(await say(...from, '--to', 'ada@other.example')).toContain('550 5.7.1 Relaying denied');
      expect(await say('--from', elm.address, '--to', elm.address)).toContain('550 5.7.1');
      expect(await say(...from, '--to', elm.address, '--h-From', elm.address)).toContain('550 5.7.1');
      expect(await say(...from, '--to', elm.address, '--tls')).toContain('2.6.0 Taken');
      expect(
        await say(...from, '--to', elm.address, '--auth', 'PLAIN', '--auth-user', 'x', '--auth-password', 'y'),
      ).not.toContain('Taken');
    });

    it('what is too large is refused by its declared size, and by its octets', async () => {
      const file = join(post.folder, 'large');
      writeFileSync(file, `From: a@b\r\n\r\n${`${'x'.repeat(70)}\r\n`.repeat(160_000)}`);
      const declared = await talk(post.ready.smtp, 'EHLO x', `MAIL FROM:<a@b> SIZE=${11 * 1024 * 1024}`);
      expect(declared).toMatch(/^552 /m);
      const sent = await post.swaks('smtp', '--from', 'bob@plain.example', '--to', elm.address, '--data', `@${file}`);
      expect(sent.said).toMatch(/<\*\* 552 /);
    });

    it('SPF, DKIM and DMARC are judged by the zone: a good signature passes, a forgery is rejected', async () => {
      const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
      const key = join(post.folder, 'signed.pem');
      writeFileSync(key, privateKey.export({ type: 'pkcs1', format: 'pem' }));
      const p = publicKey.export({ type: 'spki', format: 'der' }).toString('base64');
      const { zone } = post.dns;
      zone.set('TXT signed.example', 'v=spf1 ip4:127.0.0.1 -all');
      zone.set('TXT s1._domainkey.signed.example', `v=DKIM1; k=rsa; p=${p}`);
      zone.set('TXT _dmarc.signed.example', 'v=DMARC1; p=reject');
      zone.set('TXT forged.example', 'v=spf1 -all');
      zone.set('TXT _dmarc.forged.example', 'v=DMARC1; p=reject');
      const bring = async (name: string, text: string, domain: string) => {
        const file = join(post.folder, name);
        writeFileSync(file, text, 'latin1');
        return post.swaks('smtp', '--from', `bob@${domain}`, '--to', elm.address, '--data', `@${file}`);
      };
      const mail = (domain: string, subject: string) =>
        `From: bob@${domain}\r\nTo: ${elm.address}\r\nSubject: ${subject}\r\n\r\nHello\r\n`;
      const signed = post.sign(mail('signed.example', 'Signed'), 'signed.example', key);
      expect((await bring('signed', signed, 'signed.example')).said).toContain('Taken');
      const [{ id } = { id: '' }] = (await post.inbox(elm.id)).filter(({ subject }) => subject === 'Signed');
      const shown = await post.api<{ checks: object }>(`/v1/mails/${id}`);
      expect(shown.checks).toEqual({ spf: 'pass', dkim: 'pass', dmarc: 'pass' });
      expect((await bring('forged', mail('forged.example', 'Forged'), 'forged.example')).said).toContain('550 5.7.26');
      // Signed by the right key, then changed on the way, and from a source that SPF does not know.
      zone.set('TXT signed.example', 'v=spf1 -all');
      const changed = signed.replace('Hello', 'Hullo');
      expect((await bring('changed', changed, 'signed.example')).said).toContain('550 5.7.26');
    });
  });

  describe('the other server', () => {
    const send = (...to: string[]) =>
      post.api<{ id: string }>('/v1/mails', { mailbox: elm.id, to, subject: `To ${to.join(' ')}`, text: 'Hello' });
    const stateOf = async (id: string) =>
      (await post.api<{ recipients: { address: string; state: string }[] }>(`/v1/mails/${id}`)).recipients;
    const waiting = async () => (await post.api<{ items: { mail: string; error?: string }[] }>('/v1/mail-queue')).items;

    it('that says later is asked again; the mail arrives once', async () => {
      const { id } = await send('later1@other.example');
      await until(async () => (await waiting()).find(({ mail, error }) => mail === id && error), 'the refusal');
      expect((await waiting())[0]?.error).toContain('451 4.7.1');
      await post.api('/v1/mail-queue/retry', {});
      await until(async () => ((await stateOf(id))[0]?.state === 'delivered' ? true : undefined), 'delivery');
      expect(post.taken.filter(({ to }) => to.includes('later1@other.example'))).toHaveLength(1);
    });

    it('that says never makes a report in the sender’s mailbox; the other recipient has the mail', async () => {
      const { id } = await send('nobody@other.example', 'eve@other.example');
      const report = await until(
        async () => (await post.inbox(elm.id)).find(({ subject }) => subject === 'Your mail could not be delivered'),
        'the report',
      );
      const shown = await post.api<{ text: string; from: string }>(`/v1/mails/${report.id}`);
      expect([shown.from, shown.text]).toEqual([
        `postmaster@${DOMAIN}`,
        expect.stringMatching(/nobody@other\.example[\s\S]*550 5\.1\.1 no such user here/),
      ]);
      expect(Object.fromEntries((await stateOf(id)).map(({ address, state }) => [address, state]))).toEqual({
        'nobody@other.example': 'bounced',
        'eve@other.example': 'delivered',
      });
      expect(post.taken.filter(({ to }) => to.includes('eve@other.example'))).toHaveLength(1);
    });

    it('that refuses the whole mail after DATA makes one too', async () => {
      const { id } = await send('heavy@other.example');
      await until(async () => ((await stateOf(id))[0]?.state === 'bounced' ? true : undefined), 'the bounce');
    });
  });

  describe('hostile peers', () => {
    it.each([
      [
        'a smuggled mail',
        ['EHLO x', 'MAIL FROM:<a@b>', `RCPT TO:<elm@${DOMAIN}>`, 'DATA', 'From: a@b\r\n\r\nx\n.\nMAIL FROM:<c@d>\r\n.'],
        /554 5\.5\.2 A bare LF/,
      ],
      [
        'a bare CR',
        ['EHLO x', 'MAIL FROM:<a@b>', `RCPT TO:<elm@${DOMAIN}>`, 'DATA', 'From: a@b\r\n\r\nx\r.\r\r\n.'],
        /554 5\.5\.2 A bare CR/,
      ],
      [
        'a NUL',
        ['EHLO x', 'MAIL FROM:<a@b>', `RCPT TO:<elm@${DOMAIN}>`, 'DATA', 'From: a@b\r\n\r\n\0\r\n.'],
        /554 5\.6\.0 A NUL/,
      ],
      [
        'a long line',
        ['EHLO x', 'MAIL FROM:<a@b>', `RCPT TO:<elm@${DOMAIN}>`, 'DATA', `From: a@b\r\n\r\n${'x'.repeat(999)}\r\n.`],
        /554 5\.6\.0 A line/,
      ],
      ['a long command', [`EHLO ${'x'.repeat(5000)}`], /^421 /m],
      ['a long name', [`EHLO ${'x'.repeat(400)}`], /^501 /m],
      ['commands without order', ['DATA', 'RCPT TO:<a@b>', 'MAIL FROM:<a@b>'], /^503 [\s\S]*^503 [\s\S]*^503 /m],
      ['a web page', ['GET / HTTP/1.1', 'Host: x'], /^421 /m],
      ['words without end', Array(12).fill('XYZZY'), /^421 /m],
      ['a second command in an address', ['EHLO x', 'MAIL FROM:<a@b\rRCPT TO:<c@d>>'], /^501 /m],
      [
        'too many recipients',
        ['EHLO x', 'MAIL FROM:<a@b>', ...Array.from({ length: 51 }, (_none, i) => `RCPT TO:<elm+${i}@${DOMAIN}>`)],
        /^452 /m,
      ],
    ])('%s is refused clearly', async (_what, lines, reply) => {
      const before = (await post.inbox(elm.id)).length;
      expect(await talk(post.ready.smtp, ...lines)).toMatch(reply);
      expect(await post.inbox(elm.id)).toHaveLength(before);
    });

    it('what was said before STARTTLS does not count after it', async () => {
      const said = await raw(post.ready.submission, 'EHLO x\r\nSTARTTLS\r\nMAIL FROM:<a@b>\r\nNOOP\r\n');
      expect(said).toMatch(/220 Ready to start TLS\r\n$/);
    });

    it('the 201st connection at a door is one too many, wherever it comes from', async () => {
      const sockets: Socket[] = [];
      for (let i = 0; i < 201; i++) sockets.push(open(post.ready.submission, `127.0.0.${100 + Math.floor(i / 20)}`));
      const greetings = await Promise.all(sockets.map((socket) => first(socket)));
      for (const socket of sockets) socket.destroy();
      expect(greetings.filter((line) => line.startsWith('220'))).toHaveLength(200);
      expect(greetings.filter((line) => line.startsWith('421'))).toHaveLength(1);
    });

    it('five large mails at once are one too many: it is told to come again, the others are taken', async () => {
      const large = `From: a@b\r\n\r\n${`${'x'.repeat(898)}\r\n`.repeat(10_500)}`;
      const begin = async (i: number) => {
        const socket = open(post.ready.smtp, `127.0.0.${120 + i}`);
        await say(socket, 'EHLO x', 'MAIL FROM:<a@b>', `RCPT TO:<elm@${DOMAIN}>`, 'DATA');
        await new Promise<void>((done) => void socket.write(large, 'latin1', () => done()));
        return socket;
      };
      const sockets: Socket[] = [];
      for (let i = 0; i < 5; i++) sockets.push(await begin(i));
      await pause(500);
      const replies = await Promise.all(sockets.map((socket) => say(socket, '.')));
      for (const socket of sockets) socket.destroy();
      expect(replies.map((reply) => reply.slice(0, 9)).sort()).toEqual([...Array(4).fill('250 2.6.0'), '452 4.3.1']);
    });

    it('21 connections of one source are one too many, and the cloud goes on', async () => {
      const sockets = Array.from({ length: 21 }, () => open(post.ready.smtp));
      const greetings = await Promise.all(sockets.map((socket) => first(socket)));
      for (const socket of sockets) socket.destroy();
      expect(greetings.filter((line) => line.startsWith('220'))).toHaveLength(20);
      expect(greetings.filter((line) => line.startsWith('421 4.7.0'))).toHaveLength(1);
      await pause(200);
      await post.api('/v1/mailboxes');
    });
  });
});

function open(address: string, source = '127.0.0.1'): Socket {
  const [host = '', port] = address.split(':');
  const socket = connect({ host, port: Number(port), localAddress: source });
  socket.setEncoding('latin1').setMaxListeners(0);
  socket.on('error', () => undefined);
  return socket;
}

/** The first that a server says. */
function first(socket: Socket): Promise<string> {
  return new Promise((done) => {
    socket.once('data', (said) => done(String(said)));
    socket.once('close', () => done(''));
  });
}

/** Connects and sends lines, each after the reply to the one before; all that was said. */
async function talk(address: string, ...lines: readonly string[]): Promise<string> {
  const socket = open(address);
  const greeting = await first(socket);
  const all = greeting + (await replies(socket, lines));
  socket.destroy();
  return all;
}

/** The greeting aside, what is said to lines on a connection. */
async function say(socket: Socket, ...lines: readonly string[]): Promise<string> {
  if (socket.bytesRead === 0) await first(socket);
  return replies(socket, lines);
}

async function replies(socket: Socket, lines: readonly string[]): Promise<string> {
  let all = '';
  for (const line of lines) {
    if (socket.destroyed) break;
    const answer = first(socket);
    socket.write(`${line}\r\n`, 'latin1');
    all += await answer;
  }
  return all;
}

/** Sends everything at once after the greeting; what was said within a moment. */
async function raw(address: string, text: string): Promise<string> {
  const socket = open(address);
  let all = await first(socket);
  socket.on('data', (said) => {
    all += String(said);
  });
  socket.write(text, 'latin1');
  await pause(500);
  socket.destroy();
  return all;
}
