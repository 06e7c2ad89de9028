/** The two SMTP doors (smtp-server): protocol, TLS and octets; what may come in is decided in `reception.ts`. */
import { SMTPServer, type SMTPServerDataStream, type SMTPServerSession } from 'smtp-server';
import type { Address, Log } from '#shared/kernel/world.ts';
import { MAIL_LIMIT, type Refusal } from './octets.ts';
import { type Client, type Door, RECIPIENT_LIMIT, type Reception } from './reception.ts';

export interface DoorOptions {
  readonly door: Door;
  readonly address: Address;
  readonly domain: string;
  /** PEM. */
  readonly certificate: string;
  readonly key: string;
  readonly log: Log;
}

export interface OpenDoor {
  readonly bound: Address;
  readonly connections: () => number;
  /** Shows another certificate from the next connection on. */
  readonly renew: (own: Pick<DoorOptions, 'certificate' | 'key'>) => void;
  close(): Promise<void>;
}

/** Connections at one door, from everywhere. */
const CLIENT_LIMIT = 200;
/** Octets of mails that are being received, over all connections of a door. */
const HELD_LIMIT = 4 * MAIL_LIMIT;
/** Octets of a command line (RFC 5321 section 4.5.3.1.4 asks for 512; AUTH needs more). */
const COMMAND_LIMIT = 4096;
/** Milliseconds of silence after which a connection is closed. */
const SILENCE = 60_000;

class Reply extends Error {
  readonly responseCode: number;
  constructor({ code, text }: Refusal) {
    super(text);
    this.responseCode = code;
  }
}

const FAILED: Refusal = { code: 451, text: '4.3.0 Hearthline made an error; try again later' };
const TOO_LARGE: Refusal = { code: 552, text: `5.3.4 A mail may have ${MAIL_LIMIT} octets` };
const BUSY: Refusal = { code: 452, text: '4.3.1 Too many mails are coming in; try again later' };

/** Listens at a door; rejects with an error whose `code` is EADDRINUSE or the like when the address cannot be had. */
export async function openDoor(reception: Reception, options: DoorOptions): Promise<OpenDoor> {
  const keeper = new Keeper(reception, options);
  const server: SMTPServer = new SMTPServer({
    ...settings(options),
    onConnect: (session, done) => keeper.connect(session, done),
    onClose: (session) => keeper.disconnect(session),
    onAuth: ({ username = '', password }, session, done) => keeper.login(session, username, password ?? '', done),
    onMailFrom: ({ address }, session, done) => keeper.sender(session, address, done),
    onRcptTo: ({ address }, session, done) => keeper.recipient(session, address, done),
    onData: (stream, session, done) => {
      const hangUp = () => [...server.connections].find(({ id }) => id === session.id)?.close();
      keeper.mail(session, stream, hangUp, done);
    },
  });
  server.on('error', (error) =>
    options.log.debug('mail.connection-failed', { door: options.door, error: error.message }),
  );
  return listen(server, options);
}

type Done = (error?: Error | null) => void;

/** Takes the library's questions to the reception, and its refusals back. */
class Keeper {
  readonly #reception: Reception;
  readonly #door: Door;
  readonly #log: Log;
  /** Sessions that were let in. */
  readonly #admitted = new Set<string>();
  readonly #held = { octets: 0 };

  constructor(reception: Reception, { door, log }: DoorOptions) {
    this.#reception = reception;
    this.#door = door;
    this.#log = log;
  }

  connect({ id, remoteAddress }: SMTPServerSession, done: Done): void {
    const refusal = this.#reception.connect(remoteAddress);
    if (refusal === undefined) this.#admitted.add(id);
    done(refusal === undefined ? null : new Reply(refusal));
  }

  disconnect({ id, remoteAddress }: SMTPServerSession): void {
    if (this.#admitted.delete(id)) this.#reception.disconnect(remoteAddress);
  }

  login(
    { remoteAddress }: SMTPServerSession,
    username: string,
    password: string,
    done: (error: Error | null, response?: { readonly user: string }) => void,
  ): void {
    this.#answer(done, async () => {
      const opened = await this.#reception.login(remoteAddress, username, password);
      if (!opened.ok) return opened.fault;
      return () => done(null, { user: opened.value.id });
    });
  }

  sender(session: SMTPServerSession, address: string, done: Done): void {
    this.#answer(done, () => this.#reception.sender(clientOf(this.#door, session), address));
  }

  recipient(session: SMTPServerSession, address: string, done: Done): void {
    const { mailFrom } = session.envelope;
    const args = mailFrom === false ? false : mailFrom.args;
    const size = args === false || typeof args.SIZE !== 'string' ? 0 : Number(args.SIZE);
    this.#answer(done, () => this.#reception.recipient(clientOf(this.#door, session), address, size));
  }

  mail(
    session: SMTPServerSession,
    stream: SMTPServerDataStream,
    hangUp: () => void,
    done: (error: Error | null, reply?: string) => void,
  ): void {
    // The library empties the session when the connection ends.
    const client = clientOf(this.#door, session);
    const { mailFrom, rcptTo } = session.envelope;
    const sender = mailFrom === false ? '' : mailFrom.address;
    const recipients = rcptTo.map(({ address }) => address);
    this.#answer(done, async () => {
      const got = await receive(stream, this.#held, hangUp);
      if (!(got instanceof Uint8Array)) return got;
      const taken = await this.#reception.mail(client, { sender, recipients }, got);
      return taken.ok ? () => done(null, `2.6.0 Taken as ${taken.value}`) : taken.fault;
    });
  }

  /** Gives a refusal back as the reply, nothing as yes, or lets the work say yes itself; what fails is asked to come again. */
  #answer(done: (error: Error | null) => void, work: () => Promise<Refusal | (() => void) | undefined>): void {
    work().then(
      (answer) => {
        if (typeof answer === 'function') answer();
        else done(answer === undefined ? null : new Reply(answer));
      },
      (error) => {
        this.#log.error('mail.door-failed', { door: this.#door, error: String(error) });
        done(new Reply(FAILED));
      },
    );
  }
}

function settings({ door, domain, certificate, key }: DoorOptions) {
  return {
    name: domain,
    banner: 'Hearthline',
    secure: false,
    cert: certificate,
    key,
    minVersion: 'TLSv1.2' as const,
    size: MAIL_LIMIT,
    rejectOversized: true,
    maxRecipients: RECIPIENT_LIMIT,
    authMethods: ['PLAIN', 'LOGIN'],
    authOptional: door === 'inbound',
    disabledCommands: door === 'inbound' ? ['AUTH'] : [],
    disableReverseLookup: true,
    // Our own texts carry the enhanced codes, as the library knows no finer ones than its reply codes.
    hideENHANCEDSTATUSCODES: true,
    hideSMTPUTF8: true,
    maxClients: CLIENT_LIMIT,
    maxCommandLength: COMMAND_LIMIT,
    socketTimeout: SILENCE,
    closeTimeout: 1_000,
    logger: false,
  };
}

function clientOf(door: Door, session: SMTPServerSession): Client {
  return {
    door,
    source: session.remoteAddress,
    helo: String(session.hostNameAppearsAs || ''),
    secure: session.secure,
    ...(typeof session.user === 'string' ? { mailbox: session.user } : {}),
  };
}

/** The octets of a mail, or why they were not kept. What is too large is read past, and beyond twice the limit cut off. */
async function receive(
  stream: SMTPServerDataStream,
  held: { octets: number },
  hangUp: () => void,
): Promise<Uint8Array | Refusal> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  let kept = 0;
  let refusal: Refusal | undefined;
  try {
    for await (const chunk of stream as AsyncIterable<Uint8Array>) {
      size += chunk.length;
      if (size > 2 * MAIL_LIMIT) hangUp();
      if (size > MAIL_LIMIT) refusal = TOO_LARGE;
      else if (held.octets + chunk.length > HELD_LIMIT) refusal = BUSY;
      if (refusal !== undefined) continue;
      held.octets += chunk.length;
      kept += chunk.length;
      chunks.push(chunk);
    }
    return refusal ?? Buffer.concat(chunks);
  } catch {
    return FAILED;
  } finally {
    held.octets -= kept;
  }
}

function listen(server: SMTPServer, { address }: DoorOptions): Promise<OpenDoor> {
  return new Promise((resolve, reject) => {
    server.server.once('error', reject);
    server.listen(address.port, address.host, () => {
      server.server.off('error', reject);
      const local = server.server.address();
      const port = typeof local === 'object' && local !== null ? local.port : address.port;
      resolve({
        bound: { host: address.host, port },
        connections: () => server.connections.size,
        renew: ({ certificate, key }) => server.updateSecureContext({ cert: certificate, key }),
        close: () => new Promise((closed) => server.close(() => closed())),
      });
    });
  });
}
