/** The files that must say the same about disk, slots and state do so: what differs here is what bricks a gateway. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { partitionTable } from '../disk.ts';
import { slotScript } from '../slot.ts';
import {
  ATTEMPTS,
  COMPATIBLE,
  DISK_ID,
  IMAGE_SECTORS,
  PARTITIONS,
  partition,
  partUuid,
  SECTOR,
  SLOT_PARTITION,
  STATE_BYTES,
  STATE_SECTORS,
} from './layout.ts';

const text = (name: string) => readFileSync(join(import.meta.dirname, name), 'utf8');
const [command, init, data, conf, backend] = ['boot.cmd', 'init', 'data.sh', 'system.conf', 'slot-state'].map(text) as [
  string,
  string,
  string,
  string,
  string,
];

describe('the disk', () => {
  test('its partitions follow one another and fill the image', () => {
    let end = 2048;
    for (const { start, sectors } of PARTITIONS) {
      expect(start).toBe(end);
      expect(start % 2048).toBe(0);
      end = start + sectors;
    }
    expect(end).toBe(IMAGE_SECTORS);
  });

  test('its state stands in front of them, one sector a copy, never two in one block of 4096 bytes', () => {
    expect(STATE_BYTES).toBe(SECTOR);
    for (const at of STATE_SECTORS) {
      expect(at).toBeGreaterThan(8);
      expect(at + 8).toBeLessThanOrEqual(partition(1).start);
    }
    expect(Math.floor(STATE_SECTORS[0] / 8)).not.toBe(Math.floor(STATE_SECTORS[1] / 8));
  });

  test('its table says what the layout says', () => {
    const view = new DataView(partitionTable().buffer);
    expect(view.getUint32(440, true).toString(16)).toBe(DISK_ID);
    expect(view.getUint16(510)).toBe(0x55aa);
    for (const { number, type, start, sectors } of PARTITIONS) {
      const at = 446 + (number - 1) * 16;
      expect([view.getUint8(at + 4), view.getUint32(at + 8, true), view.getUint32(at + 12, true)]).toEqual([
        type,
        start,
        sectors,
      ]);
    }
  });
});

describe('what speaks of the disk', () => {
  test('boot.cmd: the copies of the state, the slots’ partitions, the number of tries', () => {
    const [first, second] = STATE_SECTORS.map((at) => at.toString(16));
    expect(command).toContain(`read \${hl_copy0} ${first} 1`);
    expect(command).toContain(`read \${hl_copy1} ${second} 1`);
    expect(command).toContain(
      `if itest \${hl_next} == ${first}; then setenv hl_next ${second}; else setenv hl_next ${first}; fi`,
    );
    expect(command).toContain(`setenv hl_left \${BOOT_A_LEFT}; setenv hl_part ${SLOT_PARTITION.A};`);
    expect(command).toContain(`setenv hl_left \${BOOT_B_LEFT}; setenv hl_part ${SLOT_PARTITION.B};`);
    expect(command).toContain(`if itest \${hl_left} -gt ${ATTEMPTS}; then setenv hl_left ${ATTEMPTS}; fi`);
    expect(command).toContain(`setexpr hl_attempt ${ATTEMPTS + 1} - \${hl_left}`);
    for (const size of command.matchAll(/env (?:import -c|export -c -s) (?:\$\{\w+\} )?([0-9a-f]+) /g))
      expect(parseInt(size[1] ?? '', 16)).toBe(STATE_BYTES);
  });

  test('the initial RAM disk: identifier and partitions', () => {
    expect(init).toContain(`"$id" = ${DISK_ID}`);
    expect(init).toContain(`A) root=\${part}${SLOT_PARTITION.A};; B) root=\${part}${SLOT_PARTITION.B};;`);
    expect(data).toContain(`data=\${part}4`);
    const sizeField = 446 + 3 * 16 + 12;
    expect(init).toContain(`seek=${sizeField} conv=notrunc`);
  });

  test('RAUC: board, slots by the identifiers of their partitions, our backend', () => {
    expect(conf).toContain(`compatible=${COMPATIBLE}\n`);
    const slots = [...conf.matchAll(/device=\/dev\/disk\/by-partuuid\/(\S+)\ntype=raw\nbootname=(.)/g)].map(
      ([, at, name]) => [name, at],
    );
    expect(slots).toEqual([
      ['A', partUuid(SLOT_PARTITION.A)],
      ['B', partUuid(SLOT_PARTITION.B)],
    ]);
    expect(conf).toContain('bootloader-custom-backend=/usr/lib/hearthline/slot-state\n');
    expect(conf).toContain('bundle-formats=verity\n');
  });

  test('the backend: the copies of the state and the number of tries', () => {
    const [first, second] = STATE_SECTORS;
    expect(backend).toContain(`first=$(sequence_at ${first})\nsecond=$(sequence_at ${second})`);
    expect(backend).toContain(`if [ "$first" -gt "$second" ]; then newest=${first} next=${second}; fi`);
    expect(backend).toContain(`order='A B' a=${ATTEMPTS}; else order='B A' b=${ATTEMPTS}`);
    expect(backend).toContain(`good) n=${ATTEMPTS};;`);
    expect(backend).toContain(`truncate -s ${STATE_BYTES - 4} `);
  });

  test('a slot’s header: every word that the initial RAM disk reads', () => {
    const script = slotScript({
      ...{
        blocks: 10,
        treeAt: 45_056,
        salt: 'ab',
        rootHash: 'cd',
        kernelAt: 49_152,
        kernelBytes: 1000,
        kernelSum: 0x01020304,
      },
      ...{ initrdAt: 53_248, initrdBytes: 513, initrdSum: 0xfffefdfc },
    });
    for (const [, word] of init.matchAll(/\$\(word ([\w.]+)\)/g)) expect(script).toContain(`${word}=`);
    expect(script).toContain('hearthline.root=10:11:cd:ab');
    expect(script).toContain(`\${hl_start} + 60\n`);
    expect(script).toContain(
      `read \${hl_kernel} \${hl_at} 2 && crc32 \${hl_kernel} 3e8 \${hl_sum}; then\nif itest.l *\${hl_sum} == 4030201 || itest.l *\${hl_sum} == 1020304; then`,
    );
    expect(script).toContain(
      `read \${hl_initrd} \${hl_at} 2 && crc32 \${hl_initrd} 201 \${hl_sum}; then\nif itest.l *\${hl_sum} == fcfdfeff || itest.l *\${hl_sum} == fffefdfc; then`,
    );
  });
});
