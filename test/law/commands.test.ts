/** The commands that the documents tell people to type are there, with the flags that stand behind them. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import type { Command } from '#cli/command.ts';
import { cloneOnly, commands } from '#cli/commands.ts';
import { verbCommands } from '#cli/verb-command.ts';
import { pages, root } from './source.ts';

const derived = verbCommands();
const clone: readonly string[] = cloneOnly;

/** The command of these words; `clone` where its flags are told only by running it. */
async function commandOf(words: string): Promise<Command | 'clone' | undefined> {
  if (clone.includes(words)) return 'clone';
  return Object.hasOwn(commands, words) ? commands[words]?.() : derived.get(words);
}

const TYPED = /^(?:\$ |sudo )?(?:bin\/)?hearthline ([a-z][a-z-]*)(?: ([a-z][a-z-]*))?(.*)$/s;

/** What is wrong with one line as somebody would type it. */
async function faultOf(line: string): Promise<string | undefined> {
  const [, first = '', second, rest = ''] = TYPED.exec(line) ?? [];
  if (first === '' || !/^(?:\s|$)/.test(rest)) return undefined;
  const longer = second === undefined ? undefined : await commandOf(`${first} ${second}`);
  const command = longer ?? (await commandOf(first));
  const isFamily = [...derived.keys(), ...Object.keys(commands), ...clone].some((one) => one.startsWith(`${first} `));
  if (command === undefined) return second === undefined && isFamily ? undefined : `no command: ${line}`;
  if (command === 'clone') return undefined;
  const flags = (rest.split(/[#|>]/)[0] ?? '').split(/\s+/).filter((word) => /^--[a-z]/.test(word));
  for (const flag of command.flags?.(flags) ?? flags) {
    const name =
      flag
        .slice(2)
        .split('=')[0]
        ?.replace(/[^A-Za-z0-9-].*$/, '') ?? '';
    if (name !== 'help' && name !== 'config' && !Object.hasOwn(command.options, name)) return `no --${name}: ${line}`;
  }
  return undefined;
}

/** Lines of code blocks, and code spans. */
function typed(text: string): string[] {
  const blocks = [...text.matchAll(/```[a-z]*\n([\s\S]*?)```/g)].flatMap(([, block = '']) => block.split('\n'));
  const prose = text.replace(/```[\s\S]*?```/g, '');
  return [...blocks, ...[...prose.matchAll(/`([^`\n]+)`/g)].map(([, span = '']) => span)].map((one) => one.trim());
}

it('every command of the documents is there, with its flags', async () => {
  const files = ['README.md', 'sdk/README.md'].map((name) => join(root, name)).concat(pages(join(root, 'docs')));
  const lines = files.flatMap((path) => typed(readFileSync(path, 'utf8')));
  expect(lines.filter((line) => TYPED.test(line)).length).toBeGreaterThan(100);
  const faults = await Promise.all(lines.map(faultOf));
  expect(faults.filter((one) => one !== undefined)).toEqual([]);
});

it.each([
  'hearthline nothing like it',
  'bin/hearthline session shw ses_1',
  'hearthline rollout create --errorate 0.1',
  'hearthline why --gatway gw_1',
])('goes red on a planted "%s"', async (line) => {
  expect(await faultOf(line)).toBeDefined();
});
