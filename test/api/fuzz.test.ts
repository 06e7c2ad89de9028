/** Whatever is sent to a verb's route, the answer is a reply of its schema or a problem; never 500. */
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { routes } from '#cloud/application-server/open-api/routes.ts';
import { farmServers } from '#shared/protocol/servers.ts';
import { type Got, notProblem, TestCloud } from './fixture.ts';

let cloud: TestCloud;
let known: Readonly<Record<string, string>>;

beforeAll(async () => {
  cloud = await TestCloud.start();
  const home = (await cloud.call('home.create', { name: 'Elm Street 1' })).id;
  const line = (await cloud.call('line.create', { home })).id;
  known = { home, line, from: line, party: line };
});
afterAll(() => cloud.stop());

/** Values as programs get them wrong: other types, edges, hostile text. */
const wrong = fc.oneof(
  fc.constantFrom<unknown>(null, true, 0, -1, 1.5, 2 ** 53, '', ' ', 'null', [], {}, [[]], '__proto__', 'constructor'),
  fc.constantFrom(
    "'; DROP TABLE home; --",
    '../../etc/passwd',
    '%00',
    '\u0000',
    '\ud800',
    'é'.repeat(70),
    '<script>',
    '\r\nSet-Cookie: a=b',
  ),
  fc.string({ maxLength: 80, unit: 'binary' }),
  fc.jsonValue({ maxDepth: 4 }),
);

/** A request made from the verb's example: some fields replaced, left out or added. */
function requestOf(fields: Readonly<Record<string, unknown>>, names: readonly string[]) {
  return fc.record(
    {
      ...Object.fromEntries(
        names.map((name) => [
          name,
          fc.oneof({ weight: 3, arbitrary: fc.constant(fields[name]) }, { weight: 2, arbitrary: wrong }),
        ]),
      ),
      extra: fc.oneof({ weight: 9, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary: wrong }),
    },
    { requiredKeys: [] },
  );
}

function broken(got: Got): string | undefined {
  if (got.status < 400) return undefined;
  if (got.status === 500) return `500: ${got.text}`;
  return notProblem(got);
}

describe('every verb survives every request', () => {
  test.each(routes)('$verb', async (route) => {
    const properties = (route.entry.request as { properties?: object }).properties ?? {};
    const names = Object.keys(properties);
    const example = {
      ...route.entry.example,
      ...Object.fromEntries(names.flatMap((n) => (known[n] ? [[n, known[n]]] : []))),
    };
    await fc.assert(
      fc.asyncProperty(requestOf(example, names), async (fields) => {
        const rest = new Map(Object.entries(fields).filter(([, value]) => value !== undefined));
        const url = route.http.path.replaceAll(/\{(\w+)\}/g, (_all, name: string) => {
          const value = rest.get(name);
          rest.delete(name);
          return encodeURIComponent(text(value).toWellFormed());
        });
        const query = new URLSearchParams([...rest].map(([name, value]) => [name, text(value)]));
        const got = await cloud.ask(
          route.hasBody
            ? { method: route.http.method, url, body: Object.fromEntries(rest) }
            : { method: route.http.method, url: `${url}?${query}` },
        );
        expect(broken(got)).toBeUndefined();
        for (const server of farmServers)
          if (!cloud.cloud.bus.has(server) && route.verb.startsWith('farm')) await restart(server);
      }),
      { numRuns: 40 },
    );
  });

  test.each(routes)('$verb: a body that is octets', async (route) => {
    const url = route.http.path.replaceAll(/\{(\w+)\}/g, 'x');
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(fc.string({ unit: 'binary' }), fc.json(), fc.constant('['.repeat(100_000))),
        async (body) => {
          const got = await cloud.ask({
            method: route.http.method,
            url,
            body,
            headers: { 'content-type': 'application/json' },
          });
          expect(broken(got)).toBeUndefined();
        },
      ),
      { numRuns: 10 },
    );
  });

  test('the directory is as it was, besides what succeeded', async () => {
    expect((await cloud.call('home.get', { home: known.home ?? '' })).name).toBe('Elm Street 1');
  });
});

async function restart(server: (typeof farmServers)[number]): Promise<void> {
  await cloud.ask({ method: 'POST', url: `/v1/farm/${server}/start` });
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : (JSON.stringify(value) ?? '');
}
