/** A LED of the board by the kernel's class (Documentation/leds/leds-class.rst): its trigger is taken off, its brightness set. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';

export interface Led {
  /** Never rejects: a board without this LED shows nothing. */
  set(on: boolean): Promise<void>;
}

/** The LED of a name such as `ACT` (Raspberry Pi) or `led0` (older kernels); `folder` is the kernel's, another in tests. */
export function boardLed(name: string, folder = '/sys/class/leds'): Led {
  let ready: Promise<void> | undefined;
  const put = (file: string, text: string) => writeFile(join(folder, name, file), text).catch(() => undefined);
  return {
    async set(on) {
      ready ??= put('trigger', 'none');
      await ready;
      await put('brightness', on ? '255' : '0');
    },
  };
}
