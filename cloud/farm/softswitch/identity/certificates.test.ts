import { describe, expect, it } from 'vitest';
import { type HttpRequest, NetError } from '#shared/kernel/world.ts';
import { VirtualWorld } from '#simulator/world.ts';
import {
  AT_ONCE,
  allowedUrl,
  Certificates,
  FETCH_FOR,
  FETCH_LIMIT,
  KEEP_FAILURE_FOR,
  KEEP_FOR,
  KEPT,
} from './certificates.ts';

const HOSTS = { hosts: ['c.example', 'd.example:8443'] };

it.each([
  ['https://c.example/a.pem', true],
  ['https://C.EXAMPLE:443/a.pem', true],
  ['https://d.example:8443/a.pem', true],
  ['https://d.example/a.pem', false],
  ['https://c.example:444/a.pem', false],
  ['http://c.example/a.pem', false],
  ['https://u:p@c.example/a.pem', false],
  ['https://c.example/a.pem#x', false],
  ['https://c.example.evil.example/a.pem', false],
  ['https://evil.example/c.example', false],
  ['https://127.0.0.1/a.pem', false],
  ['https://[::1]/a.pem', false],
  ['file:///etc/passwd', false],
  ['c.example/a.pem', false],
  [`https://c.example/${'a'.repeat(500)}`, false],
])('%s may be asked: %s', (address, may) => expect(allowedUrl(address, HOSTS.hosts) !== undefined).toBe(may));

describe('certificates of other signers', () => {
  function rig(
    reply: (url: string) => { status: number; body: string } | Error = () => ({ status: 200, body: 'PEM' }),
  ) {
    const world = new VirtualWorld({ seed: 3 });
    const { clock, log } = world.host('cloud', ['10.0.0.1']);
    const asked: HttpRequest[] = [];
    const open: (() => void)[] = [];
    const http = {
      async request(request: HttpRequest) {
        asked.push(request);
        if (request.url.includes('slow')) await new Promise<void>((resolve) => open.push(resolve));
        const said = reply(request.url);
        if (said instanceof Error) throw said;
        return { ...said, headers: {} };
      },
    };
    return { world, asked, open, certificates: new Certificates({ clock, log, http }) };
  }

  it('are fetched once, bounded, and again after a while', async () => {
    const { world, asked, certificates } = rig();
    expect(await certificates.at('https://c.example/a', HOSTS)).toBe('PEM');
    expect(await certificates.at('https://c.example/a', { ...HOSTS, webAuthorities: 'CA' })).toBe('PEM');
    expect(asked).toMatchObject([{ method: 'GET', limit: FETCH_LIMIT + 1, timeout: 2_000, cut: true }]);
    await world.run(KEEP_FOR + 1);
    expect(await certificates.at('https://c.example/a', { ...HOSTS, webAuthorities: 'CA' })).toBe('PEM');
    expect(asked[1]).toMatchObject({ ca: 'CA' });
    certificates.forget();
    await certificates.at('https://c.example/a', HOSTS);
    expect(asked).toHaveLength(3);
  });

  it('are fetched from nowhere else, whatever a call says', async () => {
    const { asked, certificates } = rig();
    expect(await certificates.at('https://169.254.169.254/latest', HOSTS)).toBeUndefined();
    expect(asked).toEqual([]);
  });

  it.each([
    ['a redirection', { status: 302, body: 'PEM' }],
    ['an error', { status: 500, body: 'PEM' }],
    ['more than a certificate', { status: 200, body: 'P'.repeat(FETCH_LIMIT + 1) }],
    ['silence', new NetError('ETIMEDOUT', 'late')],
  ])('%s is none, and is not asked for again at once', async (_name, said) => {
    const { world, asked, certificates } = rig(() => said);
    expect(await certificates.at('https://c.example/a', HOSTS)).toBeUndefined();
    expect(await certificates.at('https://c.example/a', HOSTS)).toBeUndefined();
    expect(asked).toHaveLength(1);
    await world.run(KEEP_FAILURE_FOR + 1);
    await certificates.at('https://c.example/a', HOSTS);
    expect(asked).toHaveLength(2);
  });

  it('are waited for so long, however slowly they come', async () => {
    const { world, open, certificates } = rig();
    const slow = certificates.at('https://c.example/slow', HOSTS);
    let said: unknown = 'nothing yet';
    void slow.then((text) => {
      said = text;
    });
    await world.run(FETCH_FOR - 1);
    expect(said).toBe('nothing yet');
    await world.run(1);
    expect(said).toBeUndefined();
    open[0]?.();
    expect(await certificates.at('https://c.example/slow', HOSTS)).toBeUndefined();
  });

  it('of one address are asked for once by many calls, and of many addresses only so many at one time', async () => {
    const { asked, open, certificates } = rig();
    const many = Array.from({ length: AT_ONCE + 1 }, (_none, i) =>
      certificates.at(`https://c.example/slow${i}`, HOSTS),
    );
    const same = certificates.at('https://c.example/slow0', HOSTS);
    expect(await many.at(-1)).toBeUndefined();
    expect(asked).toHaveLength(AT_ONCE);
    for (const go of open) go();
    expect(await Promise.all([...many.slice(0, -1), same])).toEqual(new Array(AT_ONCE + 1).fill('PEM'));
  });

  it('are not lost to an older failure, once the settings have changed', async () => {
    let works = false;
    const { asked, open, certificates } = rig(() => ({ status: works ? 200 : 404, body: 'PEM' }));
    const before = certificates.at('https://c.example/slow', HOSTS);
    certificates.forget();
    const after = certificates.at('https://c.example/slow', HOSTS);
    open[0]?.();
    expect(await before).toBeUndefined();
    works = true;
    open[1]?.();
    expect([await after, await certificates.at('https://c.example/slow', HOSTS)]).toEqual(['PEM', 'PEM']);
    expect(asked).toHaveLength(2);
  });

  it('are kept of so many addresses', async () => {
    const { asked, certificates } = rig();
    for (let i = 0; i <= KEPT; i++) await certificates.at(`https://c.example/${i}`, HOSTS);
    await certificates.at('https://c.example/1', HOSTS);
    expect(asked).toHaveLength(KEPT + 1);
    await certificates.at('https://c.example/0', HOSTS);
    expect(asked).toHaveLength(KEPT + 2);
  });
});
