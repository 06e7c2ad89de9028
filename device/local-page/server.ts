/** Serves the gateway's page on the LAN: no cookies, no scripts, nothing that changes anything. */
import { utf8 } from '#shared/kernel/bytes.ts';
import { type Address, NetError, type Stream, type World } from '#shared/kernel/world.ts';
import type { Standing } from '../first-boot/stages.ts';
import type { PairingStatus } from '../pairing/status.ts';
import { CONTENT_SECURITY_POLICY, type HouseWifi, renderPage } from './page.ts';
import { HEAD_LIMIT, readHead } from './request.ts';

/** Connections at once; further ones are closed. */
export const CONNECTIONS = 32;
/** Milliseconds that a request may take to come, and its answer to go. */
export const REQUEST_TIME = 5_000;

const reasons: Readonly<Record<number, string>> = {
  200: 'OK',
  400: 'Bad Request',
  404: 'Not Found',
  405: 'Method Not Allowed',
  421: 'Misdirected Request',
  431: 'Request Header Fields Too Large',
};

/** What else the page tells, where it is known. */
export interface PageExtras {
  readonly stages?: () => Standing | undefined;
  readonly wifi?: HouseWifi;
}

export interface LocalPage {
  /** Where it is, `http://host:port`. */
  readonly url: string;
  close(): Promise<void>;
}

/**
 * Serves `status`, and where the gateway stands between power and ready, as a page. `names` are the host names, beside its addresses and `localhost`, under which this gateway is
 * reached, for example `gateway.local`. Rejects with words for the operator where the address is taken.
 */
export async function startLocalPage(
  world: Pick<World, 'clock' | 'net'>,
  listen: Address,
  status: () => PairingStatus,
  names: readonly string[] = [],
  extras: PageExtras = {},
): Promise<LocalPage> {
  let open = 0;
  const listener = await world.net
    .listen(listen, (stream) => {
      if (open >= CONNECTIONS) return stream.destroy();
      open++;
      const page = () => renderPage(status(), extras.stages?.(), extras.wifi);
      serve(world, stream, page, names, () => open--);
    })
    .catch((error: unknown) => {
      if (!(error instanceof NetError)) throw error;
      const where = `${listen.host}:${listen.port}`;
      throw new Error(`The page cannot listen on ${where} (${error.code}): choose another address with --page`);
    });
  const { host, port } = listener.local;
  return {
    url: `http://${host.includes(':') ? `[${host}]` : host}:${port}`,
    close: () => listener.close(),
  };
}

function serve(
  { clock }: Pick<World, 'clock'>,
  stream: Stream,
  page: () => string,
  names: readonly string[],
  done: () => void,
): void {
  let head = new Uint8Array();
  const timer = clock.at(clock.mono() + REQUEST_TIME, () => stream.destroy());
  // A socket for both families writes IPv4 addresses in their mapped form (RFC 4291 section 2.5.5.2).
  const address = stream.local.host.replace(/^::ffff:(?=[0-9.]+$)/, '');
  const own = (host: string) => host === address || host === 'localhost' || names.includes(host);
  let answered = false;
  stream.handle({
    data(data) {
      if (answered) return;
      head = grown(head, data);
      const read = readHead(head, own);
      if (read.is === 'partial') return;
      answered = true;
      if (read.is === 'refused') respond(stream, read.status, '', true);
      else if (read.path === '/') respond(stream, 200, page(), read.body);
      else respond(stream, 404, '', read.body);
    },
    close() {
      timer.cancel();
      done();
    },
  });
}

/** One octet past the limit is kept, so that a head which is too long is seen to be. */
function grown(head: Uint8Array, data: Uint8Array): Uint8Array<ArrayBuffer> {
  const next = new Uint8Array(Math.min(head.length + data.length, HEAD_LIMIT + 1));
  next.set(head);
  next.set(data.subarray(0, next.length - head.length), head.length);
  return next;
}

function respond(stream: Stream, status: number, page: string, withBody: boolean): void {
  const body = utf8(page === '' ? `${status} ${reasons[status]}\n` : page);
  const fields = [
    `HTTP/1.1 ${status} ${reasons[status]}`,
    `Content-Type: ${page === '' ? 'text/plain' : 'text/html'}; charset=utf-8`,
    `Content-Length: ${body.length}`,
    `Content-Security-Policy: ${CONTENT_SECURITY_POLICY}`,
    'Cache-Control: no-store',
    'Referrer-Policy: no-referrer',
    'X-Content-Type-Options: nosniff',
    ...(status === 405 ? ['Allow: GET, HEAD'] : []),
    'Connection: close',
  ];
  stream.write(utf8(`${fields.join('\r\n')}\r\n\r\n`));
  if (withBody) stream.write(body);
  stream.end();
}
