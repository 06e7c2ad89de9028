/** The world outside on the virtual world: carriers and those who help, made of phones that register nowhere. */
import type { VerbRequest } from '#shared/protocol/verbs/index.ts';
import { Phone, type PhoneOptions } from '#simulator/phone.ts';
import type { VirtualWorld } from '#simulator/world.ts';

const CLOUD = '10.0.0.2';

export interface Carrier {
  readonly phone: Phone;
  readonly host: string;
  /** Requests that came in, whole. */
  readonly requests: string[];
  /** Everything that went over the wire. */
  readonly wire: string[];
}

/** A carrier at that host, which answers every call. */
export async function carrier(
  world: VirtualWorld,
  host: string,
  options: Partial<PhoneOptions> = {},
  server = { host: CLOUD, port: 5060 },
): Promise<Carrier> {
  const requests: string[] = [];
  const wire: string[] = [];
  const phone = await world.settle(
    Phone.open({
      world: world.host(`carrier-${host}`, [host]),
      ...{ host, server, domain: host, username: 'carrier', password: 'none' },
      trace: (direction, text) => {
        wire.push(text);
        if (direction === 'in' && !text.startsWith('SIP/2.0')) requests.push(text);
      },
      ...options,
    }),
  );
  return { phone, host, requests, wire };
}

/** The settings of a trunk to that carrier. */
export function trunkTo(
  { host, phone }: Carrier,
  more: Partial<VerbRequest<'trunk.create'>> = {},
): VerbRequest<'trunk.create'> {
  return { name: host, host, port: phone.address.port, mode: 'address', ...more };
}

/** The first request of that method. */
export function requestOf({ requests }: Carrier, method: string): string {
  const found = requests.find((text) => text.startsWith(`${method} `));
  if (found === undefined)
    throw new Error(`no ${method} came: ${requests.map((one) => one.split('\r\n')[0]).join('; ')}`);
  return found;
}

/** The value of a header in a message's text. */
export function headerIn(text: string, name: string): string | undefined {
  const head = text.slice(0, text.indexOf('\r\n\r\n'));
  return head
    .split('\r\n')
    .find((line) => line.toLowerCase().startsWith(`${name.toLowerCase()}:`))
    ?.slice(name.length + 1)
    .trim();
}
