import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Context } from '#cloud/bus/bus.ts';
import { utf8 } from '#shared/kernel/bytes.ts';
import { misfit } from '#shared/protocol/check.ts';
import { FeaturesDocument } from '#shared/protocol/documents.ts';
import { createFarm, type Farm, OPERATOR, subscriber } from '#test/support/session-farm.ts';
import { FEATURES_OCTETS, fitting } from './feature-documents.ts';

const gateway = (n: number): Context => ({ principal: { kind: 'gateway', gateway: `gw_${n}`, home: `home_${n}` } });
const NO = { ok: false, fault: { code: 'not_found' } };

describe('what gateways are told', () => {
  let farm: Farm;
  let heard: string[];
  beforeEach(async () => {
    farm = await createFarm([]);
    heard = [];
    farm.bus.subscribe('features.changed', ({ home }) => heard.push(home));
  });
  afterEach(() => farm.end());

  const set = (features: object) => farm.get('line.features.set', { home: 'home_1', line: 'line_11', features });
  const tell = (line: string, features: object, stamps: object, who = gateway(1)) =>
    farm.ask('line.features.tell', { line, features, stamps }, who);
  const get = () => farm.get('line.features.get', { home: 'home_1', line: 'line_11' });
  async function desired() {
    const find = "SELECT version, body FROM desired WHERE home = 'home_1' AND doc = 'features'";
    const row = await farm.store.one<{ version: number; body: string }>(find);
    return { version: row?.version, lines: (JSON.parse(row?.body ?? '{}') as FeaturesDocument).lines };
  }

  it('every change, in the commit that makes it', async () => {
    await set({ doNotDisturb: true });
    const stamp = (await desired()).lines[0]?.stamps.doNotDisturb ?? 0;
    expect(await desired()).toEqual({
      version: 1,
      lines: [{ line: 'line_11', features: { doNotDisturb: true }, stamps: { doNotDisturb: stamp } }],
    });
    await set({});
    const now = await desired();
    expect([now.version, now.lines[0]?.features]).toEqual([2, {}]);
    expect(now.lines[0]?.stamps.doNotDisturb).toBeGreaterThan(stamp);
    expect(heard).toEqual(['home_1', 'home_1']);
    await farm.restart();
    await set({ hideNumber: true });
    expect((await desired()).lines[0]?.stamps.doNotDisturb).toBe(now.lines[0]?.stamps.doNotDisturb);
  });

  it('a gateway’s own changes come back as stamps, whether they stand or not; twice is once', async () => {
    const late = 4e12;
    expect(await tell('line_11', { doNotDisturb: true }, { doNotDisturb: late })).toMatchObject({ ok: true });
    expect(await tell('line_11', { doNotDisturb: true }, { doNotDisturb: late })).toMatchObject({ ok: true });
    expect([await get(), (await desired()).version]).toEqual([{ doNotDisturb: true }, 1]);
    await tell('line_11', {}, { doNotDisturb: 5 });
    expect(await get()).toEqual({ doNotDisturb: true });
    await tell(
      'line_11',
      { forward: { always: '+15559999999', busy: '5550100021' } },
      { 'forward.always': late, 'forward.busy': late },
    );
    expect(await get()).toEqual({ doNotDisturb: true, forward: { busy: '+15550100021' } });
    expect((await desired()).lines[0]?.stamps).toEqual({
      doNotDisturb: late,
      'forward.always': late + 1,
      'forward.busy': late,
    });
  });

  it('takes from a gateway what star codes set, and for lines of its home alone', async () => {
    await tell('line_11', { block: ['+15550100021'], hideNumber: true }, { hideNumber: 5 });
    expect(await get()).toEqual({ hideNumber: true });
    for (const who of [gateway(2), OPERATOR, subscriber('home_1')])
      expect(await tell('line_11', { doNotDisturb: true }, { doNotDisturb: 6 }, who)).toMatchObject(NO);
    expect(await tell('line_99', {}, { doNotDisturb: 6 })).toMatchObject(NO);
  });
});

describe('the document’s limit', () => {
  const line = (n: number, contacts: number, block: number) => ({
    line: `line_${n}`,
    features: {
      doNotDisturb: true,
      contacts: Array.from({ length: contacts }, (_, i) => ({ number: `+1555010${1000 + i}`, name: 'A'.repeat(40) })),
      block: Array.from({ length: block }, (_, i) => `+1555020${1000 + i}`),
    },
    stamps: { doNotDisturb: 5 },
  });
  const read = (text: string) => JSON.parse(text) as FeaturesDocument;

  it('leaves out names first, then of some lines all but what is brief', () => {
    const all = [line(1, 200, 2), line(2, 200, 2)];
    expect(read(fitting(all.slice(0, 1))).lines).toEqual(all.slice(0, 1));
    const names = read(fitting(all));
    expect(names.lines.map(({ features, nameless }) => [features.contacts, features.block?.length, nameless])).toEqual([
      [undefined, 2, true],
      [undefined, 2, true],
    ]);
    const many = Array.from({ length: 64 }, (_, n) => line(n, 0, 100));
    const text = fitting(many);
    expect(utf8(text).length).toBeLessThanOrEqual(FEATURES_OCTETS);
    const { lines } = read(text);
    expect([lines.length, lines[0]?.features.block?.length, lines.at(-1)?.features, lines.at(-1)?.brief]).toEqual([
      64,
      100,
      { doNotDisturb: true },
      true,
    ]);
    expect(misfit(FeaturesDocument, read(fitting([...many, line(65, 0, 0)])))).toBeUndefined();
  });
});
