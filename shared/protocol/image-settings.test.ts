import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { utf8 } from '../kernel/bytes.ts';
import { TEXT_LIMIT } from './image-json.ts';
import { type ImageSettings, readSettings, tellProblem, withoutSecrets } from './image-settings.ts';

const CLAIM = `hlc_${'0'.repeat(32)}`;
const PIN = 'ab'.repeat(32);
const full: ImageSettings = {
  hostname: 'hearthline-1',
  country: 'DE',
  wifi: { mode: 'client', ssid: 'Elm Street', password: 'correct horse', hidden: false },
  network: { role: 'client', wan: 'wlan0', address: '192.0.2.10/24', gateway: '192.0.2.1', dns: ['192.0.2.1'] },
  proxy: 'http://proxy.example:3128',
  ntp: ['time.example', '2001:db8::1'],
  cloud: `https://cloud.example#sha256-${PIN}`,
  claim: CLAIM,
  profile: 'residential-gateway',
  forget: true,
};
const told = (text: string | Uint8Array): string[] => {
  const read = readSettings(typeof text === 'string' ? utf8(text) : text);
  return read.ok ? [] : read.fault.map(tellProblem);
};
const withOne = (path: string, value: unknown) => {
  const copy = structuredClone(full) as Record<string, unknown>;
  const keys = path.split('.');
  const last = keys.pop() ?? '';
  let at = copy;
  for (const key of keys) at = at[key] as Record<string, unknown>;
  if (value === undefined) delete at[last];
  else at[last] = value;
  return JSON.stringify(copy, undefined, 1);
};

describe('hearthline.json', () => {
  test('with everything, and with nothing', () => {
    const read = readSettings(utf8(JSON.stringify(full)));
    expect(read.ok && read.value.settings).toEqual(full);
    expect(told('{}')).toEqual([]);
    expect(told('\ufeff{\r\n}\r\n')).toEqual([]);
  });

  test('names the line, what is wrong there and what to write', () => {
    expect(told('{\n  "country": "de",\n  "wlan": {"ssid": "x",}\n}')).toEqual([
      'line 2, column 14: "country" has a value that cannot be used. Write the two capital letters of a country, such as "DE".',
      'line 3, column 3: there is no setting "wlan" here. Write "wifi".',
      'line 3, column 23: a comma before }. Take the comma out.',
    ]);
    expect(told('{"counrty": "DE"}')).toEqual([
      'line 1, column 2: there is no setting "counrty" here. Write "country".',
    ]);
    expect(told('{"xyzzy": 1}')[0]).toContain('Take it out; there are hostname, country,');
    expect(told('{"wifi": {"ssid": "x"}}')[0]).toContain('"mode" is missing in "wifi". Write "mode": and "client"');
    expect(told('{"wifi": "home"}')[0]).toContain('write { and } around them'.slice(6));
  });

  // Every field of the schema has a value here that is refused, at its own line.
  test.each<[string, unknown, string]>([
    ['hostname', 'Not A Name', 'hostname'],
    ['hostname', '-x', 'hostname'],
    ['country', 'Germany', 'country'],
    ['wifi', [], 'wifi'],
    ['wifi.mode', 'ap', 'mode'],
    ['wifi.ssid', '', 'ssid'],
    ['wifi.ssid', 'x'.repeat(33), 'ssid'],
    ['wifi.ssid', undefined, 'wifi'],
    ['wifi.password', '1234567', 'password'],
    ['wifi.password', 'x'.repeat(65), 'password'],
    ['wifi.password', undefined, 'wifi'],
    ['wifi.hidden', 'yes', 'hidden'],
    ['wifi.channel', 0, 'channel'],
    ['wifi.channel', 178, 'channel'],
    ['country', undefined, 'wifi'],
    ['network', 'eth0', 'network'],
    ['network.role', 'bridge', 'role'],
    ['network.wan', 'enp3s0', 'wan'],
    ['network.address', '192.0.2.10', 'address'],
    ['network.address', '192.0.2.0/24', 'address'],
    ['network.address', '192.0.2.255/24', 'address'],
    ['network.address', '127.0.0.5/24', 'address'],
    ['network.address', '192.0.2.256/24', 'address'],
    ['network.address', '192.0.2.1/24', 'gateway'],
    ['network.gateway', '198.51.100.1', 'gateway'],
    ['network.gateway', 'router', 'gateway'],
    ['network.gateway', undefined, 'address'],
    ['network.dns', [], 'dns'],
    ['network.dns', ['192.0.2.1', '192.0.2.2', '192.0.2.3', '192.0.2.4', '192.0.2.5'], 'dns'],
    ['network.dns', undefined, 'address'],
    ['network.address', undefined, 'gateway'],
    ['proxy', 'proxy.example:3128', 'proxy'],
    ['proxy', 'https://u:p@proxy:1', 'proxy'],
    ['ntp', 'time.example', 'ntp'],
    ['ntp', [], 'ntp'],
    ['cloud', 'cloud.example', 'cloud'],
    ['cloud', 'http://cloud.example', 'cloud'],
    ['cloud', 'https://cloud.example#sha256-12', 'cloud'],
    ['claim', 'BCDF-GHJK', 'claim'],
    ['profile', 'personal-computer', 'profile'],
    ['forget', 1, 'forget'],
  ])('%s = %j is refused', (path, value, field) => {
    const text = withOne(path, value);
    const [problem, ...others] = told(text);
    expect(others).toEqual([]);
    const line = Number(/^line (\d+)/.exec(problem ?? '')?.[1]);
    expect(text.split('\n')[line - 1]).toContain(`"${field}"`);
  });

  test('what contradicts itself is refused', () => {
    expect(told('{"network": {"wan": "wlan0"}}')[0]).toContain('leads nowhere');
    expect(told('{"country": "DE", "network": {"role": "client"}, "wifi": {"mode": "access-point"}}')[0]).toContain(
      '"router"',
    );
    expect(told(`{"country": "DE", "wifi": {"mode": "access-point", "password": "${'a'.repeat(64)}"}}`)[0]).toContain(
      'type',
    );
    expect(told('{"country": "DE", "wifi": {"mode": "access-point"}}')).toEqual([]);
  });

  test('in another encoding is refused with the cure', () => {
    expect(told(Uint8Array.of(0xff, 0xfe, 0x7b, 0, 0x7d, 0))[0]).toContain('UTF-8');
    expect(told(Uint8Array.of(0x7b, 0, 0x7d, 0))[0]).toContain('UTF-8');
    expect(told(new Uint8Array(4 * TEXT_LIMIT + 1).fill(32))[0]).toContain('too long');
    expect(
      told('{"country": "DE", "wifi": {"mode": "client", "ssid": "Café ☕ 100%", "password": "12345678"}}'),
    ).toEqual([]);
    expect(told(Uint8Array.of(0x7b, 0x22, 0xe4, 0x22, 0x7d))[0]).toContain('UTF-8');
  });

  test('lets its secrets go, and stays as the person wrote it', () => {
    const text = `{\n  "claim" : "${CLAIM}",\n  "country": "DE",\n  "wifi": {"mode": "client", "ssid": "x", "password":"correct horse"}%\n}`;
    const without = (forget: string) => {
      const whole = text.replace('%', forget);
      const read = readSettings(utf8(whole));
      if (!read.ok) throw new Error(read.fault.map(tellProblem).join());
      const rest = withoutSecrets(whole, read.value);
      if (rest !== undefined) {
        const again = readSettings(utf8(rest));
        expect(again.ok && withoutSecrets(rest, again.value)).toBeUndefined();
      }
      return rest;
    };
    expect(without('')).toBe(text.replace('%', '').replace(`"${CLAIM}"`, 'null'));
    expect(without(', "forget": true')).not.toMatch(/hlc_|horse/);
    expect(without(', "forget": false')).toBeUndefined();
  });

  test('of any octets throws nothing, and tells places that exist', () => {
    const shape = fc.oneof(fc.uint8Array({ maxLength: 200 }), fc.json({ maxDepth: 3 }).map(utf8));
    fc.assert(
      fc.property(shape, (octets) => {
        const read = readSettings(octets);
        if (read.ok) return;
        expect(read.fault.length).toBeGreaterThan(0);
        for (const { line, column } of read.fault) expect(Math.min(line, column)).toBeGreaterThan(0);
      }),
    );
  });
});
