import { describe, expect, it } from 'vitest';
import { layerFaults } from './layers.ts';
import { importsOf, type SourceFile, sources } from './source.ts';

const tree = sources();

describe('the layer rule', () => {
  it('holds in the tree', () => {
    expect(layerFaults(tree, importsOf)).toEqual([]);
  });

  const planted: readonly (readonly [string, SourceFile, RegExp])[] = [
    [
      'a value import upwards',
      { path: 'shared/kernel/x.ts', text: "import { x } from '../protocol/fault.ts';" },
      /may not import/,
    ],
    [
      'a type import upwards',
      { path: 'shared/sip/x.ts', text: "import type { Fault } from '#shared/protocol/fault.ts';" },
      /may not import/,
    ],
    ['device to cloud', { path: 'device/x.ts', text: "import { y } from '#cloud/bus/bus.ts';" }, /may not import/],
    ['cloud to device', { path: 'cloud/bus/x.ts', text: "import { y } from '#device/main.ts';" }, /may not import/],
    [
      'one farm server to another',
      { path: 'cloud/farm/media/x.ts', text: "import { y } from '../conference/server.ts';" },
      /speak over the bus/,
    ],
    [
      'a part into the session manager',
      { path: 'cloud/farm/qos/x.ts', text: "import { y } from '#cloud/session-manager/plan.ts';" },
      /speak over the bus/,
    ],
    [
      'a node module in pure code',
      { path: 'shared/rtp/x.ts', text: "import { createSocket } from 'node:dgram';" },
      /is pure/,
    ],
    ['a library in pure code', { path: 'shared/call/x.ts', text: "import mqtt from 'mqtt';" }, /is pure/],
    [
      'a library that does I/O in a deciding file',
      { path: 'cloud/farm/media/plan.ts', text: "import { DatabaseSync } from 'node:sqlite';" },
      /is no wiring/,
    ],
    [
      'the real clock in pure code',
      { path: 'shared/sip/y.ts', text: 'export const t = () => Date.now();' },
      /takes the world/,
    ],
    ['a timer in cloud code', { path: 'cloud/farm/media/z.ts', text: 'setTimeout(() => {}, 5);' }, /takes a clock/],
    [
      'a composition root',
      { path: 'cloud/bus/y.ts', text: "import { startCloud } from '#cloud/main.ts';" },
      /composition root/,
    ],
    [
      'the cloud loaded statically by the cli',
      { path: 'cli/x.ts', text: "import { startCloud } from '#cloud/main.ts';" },
      /statically/,
    ],
    [
      'anything but the cli to the simulator',
      { path: 'device/y.ts', text: "import { VirtualWorld } from '#simulator/world.ts';" },
      /may not import/,
    ],
  ];
  it.each(planted)('goes red on %s', (_name, file, expected) => {
    expect(layerFaults([...tree, file], importsOf).join('\n')).toMatch(expected);
  });

  it('goes red on an import cycle', () => {
    const ring: SourceFile[] = [
      { path: 'shared/sip/a1.ts', text: "import { b } from './b1.ts';" },
      { path: 'shared/sip/b1.ts', text: "import type { a } from './a1.ts';" },
    ];
    expect(layerFaults([...tree, ...ring], importsOf).join('\n')).toMatch(/import cycle: .*a1/);
  });
});
