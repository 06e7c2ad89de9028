/** Nothing secret leaves the gateway: canaries planted wherever a secret can stand, and none found in the bundle. */
import { gunzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { fromBase64 } from '#shared/kernel/base64.ts';
import { healthyHome, type Rig } from '#test/support/diagnosis-rig.ts';
import { seed } from '#test/support/seed.ts';
import { BUNDLE_LIMIT, shownSettings } from './bundle.ts';
import { Redactor } from './redact.ts';

interface Part {
  readonly id: string;
  readonly parts: number;
  readonly octets: number;
  readonly files: readonly { readonly name: string }[];
  readonly data?: string;
}

/** The bundle's files as one text. */
async function bundleText(rig: Rig): Promise<{ text: string; made: Part }> {
  const made = await rig.ask<Part>('gateway.bundle.local', {});
  const data: number[] = [];
  for (let part = 0; part < made.parts; part++) {
    const piece = await rig.ask<Part>('gateway.bundle.local', { bundle: made.id, part });
    data.push(...(fromBase64(piece.data ?? '') ?? []));
  }
  expect(data.length).toBe(made.octets);
  return { text: gunzipSync(Uint8Array.from(data)).toString('utf8'), made };
}

const canary = (n: number) => `cnry${String(n).padStart(2, '0')}${'qwzx'[n % 4]}${n * 7919}vault`;

/** Thirty-two secrets in as many places; each says where it stands. */
const PLANTS: readonly (readonly [string, (rig: Rig, secret: string) => void | Promise<void>])[] = [
  ['log field password', (rig, s) => log(rig, { password: s })],
  ['log field of no known name', (rig, s) => log(rig, { remark: s })],
  ['log text after password=', (rig, s) => log(rig, { why: `login failed, password=${s}` })],
  ['log text after "token":', (rig, s) => log(rig, { error: `{"token": "${s}"}` })],
  ['log text with a bearer', (rig, s) => log(rig, { error: `Authorization: Bearer ${s}` })],
  ['log text with basic', (rig, s) => log(rig, { detail: `sent Basic ${s}` })],
  ['log text of a digest', (rig, s) => log(rig, { detail: `Digest username="a", response="${s}"` })],
  ['user of a URL', (rig, s) => log(rig, { why: `GET https://admin:${s}@camera.local/stream` })],
  ['query of a URL', (rig, s) => log(rig, { why: `GET https://x.example/a?k=${s}&b=1 failed` })],
  ['fragment of a URL', (rig, s) => log(rig, { name: `open https://x.example/pair#${s}` })],
  ['user of a SIP URI', (rig, s) => log(rig, { why: `sip:anna:${s}@home` })],
  ['cookie', (rig, s) => log(rig, { error: `Cookie: session=${s}` })],
  ['Wi-Fi key in a log', (rig, s) => log(rig, { error: `wpa_passphrase="${s}"` })],
  ['long opaque word', (rig, s) => log(rig, { error: `got ${s}AbCdEfGh0123456789` })],
  ['PEM in a log', (rig, s) => log(rig, { error: `-----BEGIN PRIVATE KEY-----\n${s}\n-----END PRIVATE KEY-----` })],
  [
    'Wi-Fi configuration',
    (rig, s) => rig.file('/etc/wpa_supplicant/wpa_supplicant.conf', `network={ssid="a" psk="${s}"}`),
  ],
  ['file of the state folder', (rig, s) => rig.file('/state/elm/secret.txt', s)],
  [
    'device key',
    (rig, s) =>
      rig.file('/state/elm/device-key.json', JSON.stringify({ privateKey: s, publicKey: '00', certificate: 'x' })),
  ],
  ['document field of no known name', (rig, s) => document(rig, { apiKey: s })],
  ['digest of a line', (rig, s) => document(rig, { lines: [{ id: 'line_1', ha1: { md5: s } }] })],
  ['name in a document', (rig, s) => document(rig, { homeName: s })],
  ['environment', (_rig, s) => void Object.assign(process.env, { HEARTHLINE_TOKEN: s })],
  ['SIP Authorization', (rig, s) => sip(rig, [`Authorization: Digest username="a", nonce="n", response="${s}"`])],
  ['SIP Proxy-Authorization', (rig, s) => sip(rig, [`Proxy-Authorization: Basic ${s}`])],
  ['SIP header of no known name', (rig, s) => sip(rig, [`X-Door-Code: ${s}`])],
  ['SIP URI password', (rig, s) => sip(rig, [`Contact: <sip:a:${s}@10.1.1.9>`])],
  ['SIP URI header', (rig, s) => sip(rig, [`Refer-To: <sip:a@b?Authorization=${s}>`])],
  [
    'SDES key',
    (rig, s) =>
      sip(rig, ['Content-Type: application/sdp'], `v=0\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:${s}\r\n`),
  ],
  [
    'ICE password',
    (rig, s) => sip(rig, ['Content-Type: application/sdp'], `v=0\r\na=ice-pwd:${s}\r\nk=clear:${s}\r\n`),
  ],
  ['PIN that was dialled', (rig, s) => called(rig, `*33*${s}*+15550100009`)],
  ['PIN in a log', (rig, s) => log(rig, { to: `*33*${s}*+15550100009` })],
  ['text of a message', (rig, s) => sip(rig, ['Content-Type: text/plain'], `the code is ${s}`)],
];

function log(rig: Rig, fields: Record<string, string>): void {
  rig.gateway.diagnostics.log.warn('test.planted', fields);
}

function document(rig: Rig, body: object): void {
  const path = '/state/elm/agent/desired-voice.json';
  const kept = JSON.parse(rig.read(path)) as { body: object };
  rig.file(path, JSON.stringify({ ...kept, body: { ...kept.body, ...body } }));
}

/** A message of the call that is up passes by. */
function sip(rig: Rig, headers: readonly string[], body = ''): void {
  const { onlooker } = rig.gateway.diagnostics;
  const callId = planted;
  onlooker.call({ at: 'started', call: 'c1', callId, from: '+15550100001', to: '+15550100002', wall: 1 });
  const lines = ['INFO sip:a@b SIP/2.0', `Call-ID: ${callId}`, 'CSeq: 1 INFO', ...headers, '', body];
  onlooker.message('in', 'udp 10.1.1.9:5060', lines.join('\r\n'));
}
const planted = 'planted-call';

function called(rig: Rig, dialled: string): void {
  const { onlooker } = rig.gateway.diagnostics;
  onlooker.call({ at: 'started', call: 'c2', callId: planted, from: '+15550100001', to: dialled, wall: 1 });
  for (const user of [dialled, dialled.replaceAll('*', '%2A')])
    onlooker.message('in', 'udp 10.1.1.9:5060', `INVITE sip:${user}@b SIP/2.0\r\nCall-ID: ${planted}\r\n\r\n`);
}

describe('a bundle', () => {
  test('holds none of thirty-two planted secrets, and what is needed', { timeout: 30_000 }, async () => {
    await using rig = await healthyHome(seed);
    expect(PLANTS.length).toBe(32);
    const kept = process.env.HEARTHLINE_TOKEN;
    for (const [i, [, plant]] of PLANTS.entries()) await plant(rig, canary(i));
    const { text, made } = await bundleText(rig);
    if (kept === undefined) delete process.env.HEARTHLINE_TOKEN;
    else process.env.HEARTHLINE_TOKEN = kept;
    expect(PLANTS.filter((_plant, i) => text.includes(canary(i))).map(([where]) => where)).toEqual([]);
    expect(made.octets).toBeLessThan(BUNDLE_LIMIT);
    for (const needed of ['cloud.reach', 'agent.state', 'test.planted', 'INVITE', 'eth0', 'planted-call', '"voice"'])
      expect(text).toContain(needed);
  });

  test('gives numbers and hardware addresses one name each throughout', { timeout: 30_000 }, async () => {
    await using rig = await healthyHome(seed + 2);
    rig.file('/proc/net/arp', 'h\n10.1.1.33 0x1 0x2 02:00:00:00:aa:bb * eth0\n');
    rig.gateway.diagnostics.log.warn('test.planted', { from: rig.home.lines[0]?.number ?? '' });
    const { text } = await bundleText(rig);
    for (const { number } of rig.home.lines) expect(text).not.toContain(number.slice(1));
    expect(text).not.toContain('02:00:00:00');
    expect(text.match(/number-1\b/g)?.length).toBeGreaterThan(4);
    expect(text).toContain('number-2');
  });

  test('of another making is gone, and a part too many is none', { timeout: 30_000 }, async () => {
    await using rig = await healthyHome(seed + 4);
    const first = await rig.ask<Part>('gateway.bundle.local', {});
    await rig.ask<Part>('gateway.bundle.local', {});
    await expect(rig.ask('gateway.bundle.local', { bundle: first.id, part: 0 })).rejects.toThrow('not_found');
    const { id, parts } = await rig.ask<Part>('gateway.bundle.local', {});
    await expect(rig.ask('gateway.bundle.local', { bundle: id, part: parts })).rejects.toThrow('not_found');
  });
});

describe('the redactor', () => {
  test('hides known secrets wherever they stand, the longest first', () => {
    const redactor = new Redactor(['abcd', 'abcdefgh', 'x']);
    expect(redactor.text('1abcdefgh2 abcd3 x')).toBe('1(hidden)2 (hidden)3 x');
  });

  const secret = fc.string({
    unit: fc.constantFrom(...'abcdefghjkmnpqrstvwxz0123456789'),
    minLength: 8,
    maxLength: 40,
  });
  test.each(['password', 'token', 'psk', 'apiKey', 'sip_password', 'SECRET', 'wpa_psk', 'credentials'])(
    'hides what follows %s',
    (word) => {
      fc.assert(
        fc.property(secret, fc.constantFrom('=', ': ', '="', "='"), (value, sign) => {
          const text = `before ${word}${sign}${value}${sign.slice(1).trim()} after`;
          expect(new Redactor([]).text(text)).not.toContain(value);
        }),
        { seed },
      );
    },
  );

  test.each([
    ['ses_01kdvdna00qgh7zs87ma1fgb4x', 'an id of ours'],
    ['gw_5dd9zn19y6vg10ndva5tswwv6awmqtwv', 'a gateway'],
    ['connect ECONNREFUSED 127.0.0.1:41259', 'an error'],
    ['udp 192.168.1.20:5060', 'a peer'],
    ['2026-11-22T03:12:42.563Z', 'a time'],
    ['version 3: sips is not HOST:PORT', 'a refusal'],
  ])('leaves %s, %s', (text) => {
    expect(new Redactor([]).text(text)).toBe(text);
  });

  test('shows settings by name and hides the rest', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 12 }), fc.string({ minLength: 6 }), (name, value) => {
        fc.pre(
          ![
            'domain',
            'sips',
            'lines',
            'id',
            'number',
            'username',
            'kind',
            'home',
            'reportEvery',
            'version',
            'body',
            'voice',
            'system',
          ].includes(name),
        );
        fc.pre(!name.includes(value) && !'(hidden)'.includes(value));
        expect(JSON.stringify(shownSettings({ [name]: { id: value } }))).not.toContain(JSON.stringify(value));
      }),
      { seed },
    );
  });

  test('takes long texts in little time', () => {
    const text = 'password'.repeat(20_000);
    expect(new Redactor([]).text(text).length).toBeGreaterThan(0);
  }, 2_000);
});
