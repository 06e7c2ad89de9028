/** The serial ports that Linux knows, read from its tty class: the library's own way starts a program that small systems lack. */
import { latin1 } from '#shared/kernel/bytes.ts';
import type { Disk } from '#shared/kernel/world.ts';
import type { VerbReply } from '#shared/protocol/verbs/index.ts';

export type SerialPortFacts = VerbReply<'gateway.serial.local'>['items'][number];

const CLASS = '/sys/class/tty';
const PORTS_LIMIT = 32;

/** Ports with hardware behind them; virtual consoles and pseudo terminals are left out. Never rejects. */
export async function serialPorts(disk: Disk): Promise<SerialPortFacts[]> {
  const names = await disk.list(CLASS).catch(() => []);
  const found: SerialPortFacts[] = [];
  for (const name of names) {
    if (!/^tty[A-Za-z]{1,8}[0-9]{1,3}$/.test(name) || found.length >= PORTS_LIMIT) continue;
    const at = `${CLASS}/${name}`;
    const text = async (file: string) => {
      const octets = await disk.read(`${at}/${file}`).catch(() => undefined);
      return octets === undefined ? undefined : latin1(octets).trim().slice(0, 64);
    };
    const event = (await text('device/uevent')) ?? '';
    const driver = /^DRIVER=(\S+)/m.exec(event)?.[1];
    // Ports of the serial8250 driver that have no chip behind them say type 0 (PORT_UNKNOWN).
    if (driver === undefined || (await text('type')) === '0') continue;
    const usb = /^PRODUCT=([0-9a-f]+)\/([0-9a-f]+)/m.exec((await text('device/../uevent')) ?? event);
    const product = (await text('device/../../product')) ?? (await text('device/../product'));
    const serial = (await text('device/../../serial')) ?? (await text('device/../serial'));
    found.push({
      path: `/dev/${name}`,
      driver,
      ...(usb === null ? {} : { usb: `${usb[1]?.padStart(4, '0')}:${usb[2]?.padStart(4, '0')}` }),
      ...(product === undefined ? {} : { product }),
      ...(serial === undefined ? {} : { serial }),
    });
  }
  return found;
}
