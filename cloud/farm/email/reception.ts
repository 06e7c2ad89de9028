/**
 * What may come in over SMTP, on both doors: `inbound`, where other servers bring mail for our mailboxes and nothing else, and
 * `submission`, where our own people send after they have proved who they are. The adapter speaks the protocol; here it is decided.
 */

import { Budget, type Rate } from '#shared/kernel/budget.ts';
import { base32 } from '#shared/kernel/ids.ts';
import { err, ok, type Result } from '#shared/kernel/result.ts';
import type { Fault } from '#shared/protocol/fault.ts';
import { readAddress, sameAddress, writeAddress } from './address.ts';
import { mailDate } from './compose.ts';
import { localsOf, mailboxById, mailboxByLocal, openMailbox } from './mailboxes.ts';
import { fieldValue, type Header, isRefusal, octetFault, type Refusal, readHeader, withHeader } from './octets.ts';
import { parseHeader } from './parse.ts';
import type { MailboxRow, Office } from './parts.ts';
import { announce, type Posting, planPosting, resolveRecipient } from './post.ts';
import { newMessageId, type SendingBudget } from './send.ts';
import { type Checks, spoken } from './verdict.ts';

/** Recipients of one mail. */
export const RECIPIENT_LIMIT = 50;
/** Mails that one source may begin, connections that it may open, passwords that it (or anybody for one address) may try. */
export const MAIL_RATE: Rate = { perSecond: 2, burst: 60 };
export const CONNECTION_RATE: Rate = { perSecond: 2, burst: 40 };
export const LOGIN_RATE: Rate = { perSecond: 5 / 60, burst: 10 };
/** Connections of one source at once. */
export const CONNECTION_LIMIT = 20;

export type Door = 'inbound' | 'submission';

/** The other side of a connection, as the channel proved it. */
export interface Client {
  readonly door: Door;
  /** Its address. */
  readonly source: string;
  /** The name that it gave itself; believed by nobody. */
  readonly helo: string;
  readonly secure: boolean;
  /** The mailbox that it has signed in to (submission). */
  readonly mailbox?: string;
}

export interface Envelope {
  /** Empty for the null sender. */
  readonly sender: string;
  readonly recipients: readonly string[];
}

/** Says what SPF, DKIM and DMARC make of a mail from outside. */
export type Checker = (mail: {
  readonly raw: Uint8Array;
  readonly sender: string;
  readonly source: string;
  readonly helo: string;
}) => Promise<Checks>;

const refuse = (code: number, text: string): Refusal => ({ code, text });
const LATER = refuse(451, '4.7.1 Too much from this source; try again later');

export class Reception {
  readonly #office: Office;
  readonly #sending: SendingBudget;
  readonly #check: Checker;
  readonly #budget = new Budget();
  readonly #connections = new Map<string, number>();

  constructor(office: Office, sending: SendingBudget, check: Checker) {
    this.#office = office;
    this.#sending = sending;
    this.#check = check;
  }

  /** A connection begins; a refusal closes it. Every one that is let in ends with `disconnect`. */
  connect(source: string): Refusal | undefined {
    const held = this.#connections.get(source) ?? 0;
    if (held >= CONNECTION_LIMIT || this.#over(`connect ${source}`, CONNECTION_RATE))
      return refuse(421, '4.7.0 Too many connections from this source');
    this.#connections.set(source, held + 1);
    return undefined;
  }

  disconnect(source: string): void {
    const held = (this.#connections.get(source) ?? 0) - 1;
    if (held > 0) this.#connections.set(source, held);
    else this.#connections.delete(source);
  }

  /** Opens a mailbox by password; only the submission door asks. */
  async login(source: string, username: string, password: string): Promise<Result<MailboxRow, Refusal>> {
    const name = username.toLowerCase().slice(0, 254);
    if (this.#over(`login ${source}`, LOGIN_RATE) || this.#over(`login ${name}`, LOGIN_RATE))
      return err(refuse(454, '4.7.0 Too many passwords were tried; try again later'));
    const box = await openMailbox(this.#office, name, password.slice(0, 256));
    if (box === undefined) return err(refuse(535, '5.7.8 Address or password is wrong'));
    this.#budget.forget(`login ${source}`);
    this.#budget.forget(`login ${name}`);
    return ok(box);
  }

  /** MAIL FROM. */
  async sender(client: Client, address: string): Promise<Refusal | undefined> {
    if (this.#over(`mail ${client.source}`, MAIL_RATE)) return LATER;
    const read = readAddress(address);
    if (client.door === 'submission') {
      if (read === undefined || !(await this.#owns(client, address)))
        return refuse(553, '5.7.1 The sender must be an address of the mailbox that signed in');
      return undefined;
    }
    if (address === '') return undefined;
    if (read === undefined) return refuse(553, '5.1.7 This is no address that a mail can come from');
    return read.domain === this.#office.domain
      ? refuse(550, '5.7.1 Senders of this domain sign in at the submission port')
      : undefined;
  }

  /** RCPT TO; `size` is what the client declared (RFC 1870), 0 where it did not. */
  async recipient(client: Client, address: string, size: number): Promise<Refusal | undefined> {
    const { domain } = this.#office;
    const full = address.toLowerCase() === 'postmaster' ? `postmaster@${domain}` : address;
    const read = readAddress(full);
    if (read === undefined) return refuse(553, '5.1.3 This is no address that a mail can go to');
    if (client.door === 'inbound' && read.domain !== domain) return refuse(550, '5.7.1 Relaying denied');
    const found = await resolveRecipient(this.#office, full);
    if (!found.ok) return reply(found.fault);
    const box = found.value.at === 'mailbox' ? found.value.mailbox : undefined;
    return box !== undefined && box.used + size > box.quota ? refuse(452, '4.2.2 The mailbox is full') : undefined;
  }

  /** The mail itself: taken for good with the id that the answer names, or refused. */
  async mail(client: Client, envelope: Envelope, raw: Uint8Array): Promise<Result<string, Refusal>> {
    const fault = octetFault(raw);
    if (fault !== undefined) return err(fault);
    const header = readHeader(raw);
    if (isRefusal(header)) return err(header);
    const recipients = envelope.recipients.map((one) => (one.includes('@') ? one : `${one}@${this.#office.domain}`));
    const whole = { ...envelope, recipients };
    return client.door === 'submission'
      ? this.#submit(client, whole, raw, header)
      : this.#arrive(client, whole, raw, header);
  }

  async #submit(client: Client, envelope: Envelope, raw: Uint8Array, header: Header): Promise<Result<string, Refusal>> {
    const { store, world } = this.#office;
    const box = client.mailbox === undefined ? undefined : await mailboxById(store, client.mailbox);
    if (box === undefined) return err(refuse(530, '5.7.0 Sign in first'));
    const limited = this.#sending.take(box.id, envelope.recipients.length, world.clock.mono());
    if (limited !== undefined) return err(refuse(450, '4.7.1 This mailbox has written too much; try again later'));
    const facts = await parseHeader(raw.subarray(0, header.body));
    const [author] = facts.authors;
    if (facts.authors.length !== 1 || author === undefined || !(await this.#owns(client, author)))
      return err(refuse(550, '5.7.1 From must be the one address of the mailbox that signed in'));
    const messageId = facts.messageId ?? newMessageId(this.#office);
    const top = [
      this.#received(client),
      ...(facts.messageId === undefined ? [`Message-ID: <${messageId}>\r\n`] : []),
      ...(fieldValue(header, 'date') === undefined ? [`Date: ${mailDate(world.clock.wall())}\r\n`] : []),
    ];
    const dropped = new Set(['bcc', 'return-path', ...(facts.messageId === undefined ? ['message-id'] : [])]);
    const whole = withHeader(raw, header, ({ name }) => !dropped.has(name), top.join(''));
    return this.#post({ raw: whole, ...envelope, from: facts.from, subject: facts.subject, messageId, sentBy: box });
  }

  async #arrive(client: Client, envelope: Envelope, raw: Uint8Array, header: Header): Promise<Result<string, Refusal>> {
    const { domain } = this.#office;
    const facts = await parseHeader(raw.subarray(0, header.body));
    if (facts.authors.length === 0) return err(refuse(550, '5.6.0 The mail has no From'));
    const checks = await this.#check({ raw, sender: envelope.sender, source: client.source, helo: client.helo });
    const claimsUs = facts.authors.some((author) => readAddress(author)?.domain === domain);
    if (claimsUs && !checks.dkimDomains.includes(domain))
      return err(refuse(550, '5.7.1 From names this domain, and this domain has not signed it'));
    if (checks.dmarc === 'fail' && checks.policy === 'reject')
      return err(refuse(550, '5.7.26 The domain in From asks to reject what it has not sent (DMARC)'));
    const top = `Return-Path: <${envelope.sender}>\r\n${this.#received(client)}${spoken(domain, checks, envelope.sender)}`;
    // A result that claims to be ours and came from outside is a lie (RFC 8601 section 5).
    const foreign = (name: string, text: string) =>
      name !== 'return-path' && !(name === 'authentication-results' && text.toLowerCase().includes(domain));
    const whole = withHeader(raw, header, ({ name, text }) => foreign(name, text), top);
    const { spf, dkim, dmarc } = checks;
    return this.#post({
      raw: whole,
      ...envelope,
      from: facts.from,
      subject: facts.subject,
      messageId: facts.messageId ?? newMessageId(this.#office),
      checks: { spf, dkim, dmarc },
    });
  }

  async #post(posting: Posting): Promise<Result<string, Refusal>> {
    for (let i = 0; i < 3; i++) {
      const planned = await planPosting(this.#office, posting);
      if (!planned.ok) return err(reply(planned.fault));
      const { statements, mail, queued } = planned.value;
      if (!(await this.#office.store.commit(statements)).ok) continue;
      announce(this.#office, posting.sentBy?.home);
      if (queued) this.#office.wakeQueue();
      return ok(mail);
    }
    return err(refuse(451, '4.3.0 The mailbox changes all the time; try again'));
  }

  #received({ helo, source, secure, mailbox }: Client): string {
    const { world, domain } = this.#office;
    const name = helo.replace(/[^A-Za-z0-9.:[\]-]/g, '').slice(0, 255) || 'unknown';
    const how = `ESMTP${secure ? 'S' : ''}${mailbox === undefined ? '' : 'A'}`;
    // Where our own people sit is nobody's business.
    const from = mailbox === undefined ? `${name} ([${source}])` : 'a mail program';
    const id = base32(world.random.bytes(10));
    return `Received: from ${from}\r\n by ${domain} with ${how} id ${id};\r\n ${mailDate(world.clock.wall())}\r\n`;
  }

  async #owns({ mailbox }: Client, address: string): Promise<boolean> {
    const read = readAddress(address);
    if (mailbox === undefined || read?.domain !== this.#office.domain) return false;
    const found = await mailboxByLocal(this.#office.store, read.local);
    if (found?.id !== mailbox) return false;
    const locals = await localsOf(this.#office.store, mailbox);
    return locals.some((local) => sameAddress(writeAddress(read), `${local}@${read.domain}`));
  }

  #over(key: string, rate: Rate): boolean {
    return this.#budget.take(key, rate, this.#office.world.clock.mono()) > 0;
  }
}

/** How a fault is said in SMTP. */
function reply(fault: Fault): Refusal {
  switch (fault.code) {
    case 'mail_recipient_unknown':
      return refuse(550, '5.1.1 There is no such mailbox');
    case 'mail_address_invalid':
      return refuse(553, '5.1.3 This is no address that a mail can go to');
    case 'mail_no_route':
      return refuse(550, '5.1.2 This operator sends no mail to other domains');
    case 'mailbox_full':
      return refuse(452, '4.2.2 The mailbox is full');
    default:
      return refuse(451, '4.3.0 The mail cannot be taken now');
  }
}
