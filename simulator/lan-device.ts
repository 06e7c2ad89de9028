/** An appliance on a house's LAN as SSDP shows it (UPnP Device Architecture 2.0 section 1): says hello, answers searches, says goodbye. */
import { fromLatin1, latin1 } from '#shared/kernel/bytes.ts';
import type { UdpSocket } from '#shared/kernel/world.ts';
import type { GroundHost } from './ground.ts';
import type { VirtualWorld } from './world.ts';

const GROUP = { host: '239.255.255.250', port: 1900 } as const;
/** Seconds for which an announcement is good. */
export const MAX_AGE = 60;
const DESCRIPTION_PORT = 8000;

export class LanDevice {
  readonly name: string;
  readonly #host: string;
  readonly #socket: UdpSocket;
  readonly #leave: () => void;
  #on = true;

  private constructor(name: string, host: string, socket: UdpSocket, leave: () => void) {
    this.name = name;
    this.#host = host;
    this.#socket = socket;
    this.#leave = leave;
  }

  /** Switches it on: it announces itself and serves its description, and what `answer` gives for requests like `POST /open`. */
  static async start(
    virtual: VirtualWorld,
    hostName: string,
    host: GroundHost,
    name: string,
    answer: (request: string) => string | undefined = () => undefined,
  ): Promise<LanDevice> {
    const { address } = host;
    const authority = `${address}:${DESCRIPTION_PORT}`;
    const body = `<root><device><deviceType>urn:schemas-upnp-org:device:MediaRenderer:1</deviceType><friendlyName>${name}</friendlyName></device></root>`;
    const leave = virtual.serveHttp(hostName, authority, async ({ method = 'GET', url }) => {
      const own = answer(`${method} ${new URL(url).pathname}`);
      return { status: 200, headers: {}, body: own ?? body };
    });
    let device: LanDevice | undefined;
    const socket = await host.world.net.udp(
      { host: '0.0.0.0', port: GROUP.port, shared: true, multicast: { group: GROUP.host, interface: address } },
      (data, from) => {
        if (latin1(data).startsWith('M-SEARCH')) device?.answer(from);
      },
    );
    device = new LanDevice(name, address, socket, leave);
    device.#notify('ssdp:alive');
    return device;
  }

  answer(to: { readonly host: string; readonly port: number }): void {
    this.#say('HTTP/1.1 200 OK', `ST: upnp:rootdevice\r\n`, to);
  }

  /** Says that it is still there, as devices do before their announcement is over. */
  announce(): void {
    if (this.#on) this.#notify('ssdp:alive');
  }

  /** Leaves: with a goodbye, or without a word as by its plug. */
  async stop(goodbye: boolean): Promise<void> {
    if (!this.#on) return;
    if (goodbye) this.#notify('ssdp:byebye');
    this.#on = false;
    this.#leave();
    await this.#socket.close();
  }

  #notify(nts: string): void {
    this.#say('NOTIFY * HTTP/1.1', `HOST: 239.255.255.250:1900\r\nNT: upnp:rootdevice\r\nNTS: ${nts}\r\n`, GROUP);
  }

  #say(first: string, lines: string, to: { readonly host: string; readonly port: number }): void {
    const location = `http://${this.#host}:${DESCRIPTION_PORT}/description.xml`;
    this.#socket.send(
      fromLatin1(
        `${first}\r\n${lines}USN: uuid:${this.name}::upnp:rootdevice\r\nLOCATION: ${location}\r\nCACHE-CONTROL: max-age=${MAX_AGE}\r\n\r\n`,
      ),
      to,
    );
  }
}
