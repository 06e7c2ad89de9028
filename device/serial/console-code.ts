/** The code that opens the serial console: made at the first start, kept in the state folder (mode 0600), never shown to the cloud. */
import { utf8 } from '#shared/kernel/bytes.ts';
import type { World } from '#shared/kernel/world.ts';
import { CODE_RANDOM, makeCode, normaliseCode, showCode } from '#shared/protocol/pairing.ts';

export const CONSOLE_CODE_FILE = 'console-code';

/** The code in its plain form. A damaged file gets a new one: whoever reads the file is on the machine already. */
export async function consoleCode({ disk, random }: Pick<World, 'disk' | 'random'>, state: string): Promise<string> {
  const path = `${state}/${CONSOLE_CODE_FILE}`;
  const file = await disk.read(path);
  const kept = file === undefined ? undefined : normaliseCode(new TextDecoder().decode(file).trim());
  if (kept !== undefined) return kept;
  for (;;) {
    const code = makeCode(random.bytes(CODE_RANDOM));
    if (code === undefined) continue;
    await disk.write(path, utf8(`${showCode(code)}\n`));
    return code;
  }
}
