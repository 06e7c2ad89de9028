/** The files that the image adds to Debian's agree with each other: what a typing error in them would break only at a boot. */
import { existsSync, lstatSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { listLines } from './glob.ts';
import { walk } from './unpack.ts';

const here = import.meta.dirname;
const own = (name: string) => readFileSync(join(here, name), 'utf8');
const units = readdirSync(join(here, 'units')).filter((name) => /\.(service|mount|timer|path)$/.test(name));
const rows = (name: string) =>
  own(`root/etc/${name}`)
    .trimEnd()
    .split('\n')
    .map((line) => line.split(':'));
const users = new Set(rows('passwd').map(([name]) => name));
const groups = new Set(rows('group').map(([name]) => name));
const settings = (unit: string, name: string) =>
  [...own(`units/${unit}`).matchAll(new RegExp(`^${name}=(.*)$`, 'gm'))].map((match) => match[1] ?? '');
const linked = listLines(own('links.txt')).map((line) => line.split(/\s+/));

test('accounts: one number each, no password that could be guessed, no shell', () => {
  for (const table of ['passwd', 'group'])
    for (const field of [0, 2]) {
      const all = rows(table).map((row) => row[field]);
      expect(new Set(all).size, `${table} ${field}`).toBe(all.length);
    }
  for (const [name, , , group, , , shell] of rows('passwd')) {
    expect(shell, name).toBe('/usr/sbin/nologin');
    expect(
      rows('group').some((row) => row[2] === group),
      `group of ${name}`,
    ).toBe(true);
  }
  expect(rows('shadow').map(([name, password]) => `${name} ${password}`)).toEqual(
    [...users].map((name) => `${name} !*`),
  );
});

test('units run as accounts that exist', () => {
  for (const unit of units) {
    for (const name of settings(unit, 'User')) expect(users, `${unit}: ${name}`).toContain(name);
    for (const name of [...settings(unit, 'Group'), ...settings(unit, 'SupplementaryGroups')].flatMap((each) =>
      each.split(' '),
    ))
      expect(groups, `${unit}: ${name}`).toContain(name);
  }
  for (const line of listLines(own('root/etc/tmpfiles.d/hearthline.conf'))) {
    const [, path, , user, group] = line.split(/\s+/);
    expect([users.has(user ?? ''), groups.has(group ?? '')], path).toEqual([true, true]);
  }
});

test('every unit of ours is started by something, and what starts it exists', () => {
  for (const [path = '', target = ''] of linked) {
    const name = target.slice(target.lastIndexOf('/') + 1);
    if (!/^(hearthline|boot\.|var-)/.test(name)) continue;
    expect(units, path).toContain(name);
    if (path.includes('.wants/')) expect(path.endsWith(`/${name}`), path).toBe(true);
  }
  const started = (unit: string) =>
    linked.some(([path, target]) => path?.includes('.wants/') && target?.endsWith(`/${unit}`)) ||
    units.includes(unit.replace('.service', '.timer')) ||
    units.includes(unit.replace('.service', '.path'));
  for (const unit of units) expect(unit === 'emergency.service' || started(unit), unit).toBe(true);
});

test('what units run is in the root, and can be run', () => {
  const scripts = units.flatMap((unit) =>
    [...own(`units/${unit}`).matchAll(/(\/usr\/lib\/hearthline\/[a-z.-]+)/g)].map((match) => match[1] ?? ''),
  );
  expect(scripts.length).toBeGreaterThan(3);
  for (const path of scripts) {
    const file = join(here, 'root', path);
    expect(existsSync(file), path).toBe(true);
    if (!path.endsWith('.nft')) expect(lstatSync(file).mode & 0o111, path).toBe(0o111);
  }
});

test('scripts use only commands that are in the root', () => {
  const applets = new Set(listLines(own('applets.txt')));
  const elsewhere = new Set(['systemctl', 'nft', 'sh']);
  for (const path of walk(join(here, 'root/usr/lib/hearthline'))) {
    const text = own(`root/usr/lib/hearthline/${path}`);
    if (!text.startsWith('#!/bin/sh')) continue;
    const code = text.replace(/^#.*$/gm, '').replace(/'[^']*'|"[^"$]*"/g, "''");
    for (const [, word = ''] of code.matchAll(
      /(?:^|[|;]|\$\(|&&|\|\||\b(?:exec|do|then))\s*([a-z][a-z0-9-]*)(?=\s|$)/gm,
    ))
      if (!/^(set|for|do|done|case|esac|if|fi|then|else|exit|read|exec|echo|in|word|device|left|slot)$/.test(word))
        expect(applets.has(word) || elsewhere.has(word), `${path}: ${word}`).toBe(true);
  }
});

test('nobody has a terminal: no getty, no login, no shell at a failed start', () => {
  const text = units.map((unit) => own(`units/${unit}`)).join('\n');
  expect(text).not.toMatch(/getty|sulogin|agetty|\/login\b/);
  expect(listLines(own('prune.txt'))).toEqual(
    expect.arrayContaining(['usr/lib/systemd/system-generators/**', 'usr/lib/systemd/system/*getty*']),
  );
  expect(own('units/emergency.service')).toContain('systemctl --force reboot');
});

test('the agent has no more rights than it needs', () => {
  expect(settings('hearthline.service', 'User')).toEqual(['hearthline']);
  expect(settings('hearthline.service', 'CapabilityBoundingSet')).toEqual(['CAP_NET_BIND_SERVICE CAP_SYS_NICE']);
  expect(settings('hearthline.service', 'NoNewPrivileges')).toEqual(['yes']);
});
