/** What RAUC 1.8 and 1.13, the journal and the stage log say, and junk. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { seed } from '#test/support/seed.ts';
import { readImage, readInfo, readStatus, readWreck, refusalIn } from './rauc.ts';

describe('reasons', () => {
  it.each([
    ['signature verification failed: Verify error: certificate has expired', 'update_expired'],
    ['signature verification failed: Verify error: certificate is not yet valid', 'update_expired'],
    ['signature verification failed: Verify error: self-signed certificate', 'update_untrusted'],
    ['signature verification failed: error:0200008A:rsa routines::invalid padding', 'update_untrusted'],
    ['Invalid bundle format: Signature size (1554112945909550372) exceeds bundle size', 'update_damaged'],
    ['LastError: Compatible mismatch: Expected a but bundle manifest has b', 'update_wrong_board'],
    ['LastError: Failed updating slot rootfs.1: write: No space left on device', 'update_no_room'],
    [
      'Error retrieving slot status via D-Bus: error calling D-Bus method "GetSlotStatus": Timeout was reached',
      'update_install_failed',
    ],
    ['LastError: Failed updating slot rootfs.1: read: Input/output error', 'update_damaged'],
    ['something new', 'update_install_failed'],
  ])('%s', (text, code) => {
    expect(refusalIn(`rauc-Message: Reading bundle\n${text}\n`, 'update_install_failed')).toEqual({
      code,
      detail: text,
    });
  });
});

const slots = [
  { 'rootfs.1': { bootname: 'B', state: 'inactive' } },
  { 'rootfs.0': { bootname: 'A', state: 'booted' } },
];

describe('facts', () => {
  it('are read from JSON', () => {
    expect(readStatus(JSON.stringify({ compatible: 'x', booted: 'B', slots }))).toEqual({ board: 'x', slot: 'B' });
    expect(readStatus(JSON.stringify({ compatible: 'x', booted: 'rootfs.0', slots }))).toEqual({
      board: 'x',
      slot: 'A',
    });
    expect(readStatus(JSON.stringify({ compatible: 'x', booted: 'external', slots: [] }))).toBeUndefined();
    expect(readInfo('{"compatible":"x","version":"1.2.3"}')).toEqual({ board: 'x', version: '1.2.3' });
    expect(readInfo('{"compatible":"x","version":null}')).toBeUndefined();
    expect(readImage('{"version":"1.2.3"}')).toBe('1.2.3');
    expect(readImage('{"version":"latest"}')).toBeUndefined();
  });

  it('of a wreck are those of its last start, and no line of the start before', () => {
    const line = (boot: string, MESSAGE: string) => JSON.stringify({ _BOOT_ID: boot, MESSAGE });
    const journal = [line('aabb', 'old'), line('ccdd', 'new\u0007'), 'junk', '{"MESSAGE":[1,2]}'].join('\n');
    const log = '1 kernel 0.5\n1 init 2.0\n1 agent 9.0\n2 kernel 0.5\n2 init 2.1\n3 kernel 0.4\n';
    expect(readWreck(log, journal, 'aa-bb')).toEqual({ stage: 'kernel', attempts: 3, lines: ['new '] });
    expect(readWreck('', '', 'aa-bb')).toEqual({ stage: 'none', attempts: 0, lines: [] });
  });

  it('of a wreck keep what tells of its end among the farewells of a restart', () => {
    const entry = (MESSAGE: string, more: object = {}) => JSON.stringify({ MESSAGE, PRIORITY: '6', ...more });
    const farewells = (name: string, count: number) => Array.from({ length: count }, (_, n) => entry(`${name}${n}`));
    const unit = { _SYSTEMD_UNIT: 'hearthline.service' };
    const journal = [
      ...farewells('early', 60),
      entry('no such module', unit),
      entry('Failed with result exit-code', { UNIT: 'hearthline.service', PRIORITY: '4' }),
      entry('the card is worn out', { PRIORITY: '3' }),
      ...farewells('late', 60),
    ];
    const { lines } = readWreck('', journal.join('\n'), '');
    expect(lines.slice(0, 4)).toEqual([
      'no such module',
      'Failed with result exit-code',
      'the card is worn out',
      'late13',
    ]);
    expect([lines.length, lines.at(-1)]).toEqual([50, 'late59']);
    const loud = Array.from({ length: 70 }, (_, n) => entry(`loud${n}`, unit));
    const told = readWreck('', [...loud, ...farewells('late', 60)].join('\n'), '').lines;
    expect([told.length, told[0], told.at(-1)]).toEqual([50, 'loud20', 'loud69']);
  });

  it('are never believed of junk, and never throw', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
        readStatus(text);
        readInfo(text);
        readImage(text);
        expect(readWreck(text, text, 'x').attempts).toBeLessThan(1000);
      }),
      { seed },
    );
  });
});
