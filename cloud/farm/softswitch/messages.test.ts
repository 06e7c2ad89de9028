import { expect, test } from 'vitest';
import { createBus } from '#cloud/bus/in-process.ts';
import { VirtualWorld } from '#simulator/world.ts';
import { Location } from './location.ts';
import { Messages, type MessagesOptions } from './messages.ts';

test('a line’s registration is told of at once, its mere refreshes once in half a minute', async () => {
  const world = new VirtualWorld({ seed: 1 });
  const { clock, log } = world.host('cloud', ['10.0.0.1']);
  const bus = createBus({ log, clock });
  const told: string[] = [];
  bus.subscribe('line.registered', ({ line }) => told.push(line));
  const options = { bus, clock, location: new Location(), sha256: (text: string) => text };
  const messages = new Messages(options as unknown as MessagesOptions);
  const hears = async (changed: boolean, ...lines: string[]) => {
    for (const line of lines) messages.registered(line, changed);
    await world.run(0);
    return told.splice(0);
  };
  expect(await hears(true, 'a')).toEqual(['a']);
  // Whoever was told of already and is as before can wait; who is new or has changed cannot.
  expect(await hears(false, 'a', 'b', 'b', 'a')).toEqual(['b']);
  expect(await hears(true, 'a')).toEqual(['a']);
  await world.run(29_999);
  expect(await hears(false, 'a', 'b')).toEqual([]);
  await world.run(1);
  expect(await hears(false, 'a', 'b', 'a')).toEqual(['a', 'b']);
});
