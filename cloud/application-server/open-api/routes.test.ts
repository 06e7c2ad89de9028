import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type VerbName, verbEntry, verbs } from '#shared/protocol/verbs/index.ts';
import { canonical } from './once.ts';
import { locationOf, mergeRequest, methodsOf, type Route, routes } from './routes.ts';

const routeOf = (verb: VerbName): Route => {
  const route = routes.find((one) => one.verb === verb);
  if (route === undefined) throw new Error(verb);
  return route;
};

describe('routes', () => {
  test('are exactly the verbs with a path, and no two share method and path', () => {
    const names = (Object.keys(verbs) as VerbName[]).filter((name) => verbEntry(name)?.http !== undefined);
    expect(routes.map((route) => route.verb)).toEqual(names);
    const shapes = routes.map((route) => `${route.http.method} ${route.http.path.replaceAll(/\{\w+\}/g, '{}')}`);
    expect(new Set(shapes).size).toBe(shapes.length);
  });

  test.each(routes)('$verb takes its own example, however its fields travel', (route) => {
    const fields = new Map(Object.entries(route.entry.example));
    const params: Record<string, string> = {};
    for (const name of route.params) {
      params[name] = String(fields.get(name));
      fields.delete(name);
    }
    const rest = Object.fromEntries(fields);
    const query = Object.fromEntries([...fields].map(([name, value]) => [name, String(value)]));
    const merged = mergeRequest(
      route,
      route.hasBody ? { params, query: {}, body: rest } : { params, query, body: undefined },
    );
    expect(merged.ok && route.check(merged.value)).toBeUndefined();
    expect(merged.ok && { ...merged.value }).toEqual(route.entry.example);
  });

  test.each([
    ['/v1/homes', ['GET', 'HEAD', 'POST']],
    ['/v1/homes/x', ['GET', 'HEAD']],
    ['/v1/sessions/x/events', ['GET']],
    ['/v1/sessions/x', ['DELETE', 'GET', 'HEAD']],
    ['/v1/homes/', []],
    ['/v1', []],
    ['/', []],
  ])('methodsOf(%s)', (path, methods) => expect(methodsOf(path)).toEqual(methods));

  test.each([
    ['home.create', '/v1/homes', { id: 'home_1' }, '/v1/homes/home_1'],
    ['line.create', '/v1/homes/home_1/lines', { id: 'line_1' }, '/v1/homes/home_1/lines/line_1'],
    ['call.create', '/v1/calls', { id: 'ses_1' }, '/v1/sessions/ses_1'],
    ['account.create', '/v1/accounts', { id: 'acc_1' }, undefined],
    ['home.list', '/v1/homes', { id: 'home_1' }, undefined],
    ['home.create', '/v1/homes', {}, undefined],
  ] as const)('locationOf(%s)', (verb, path, reply, location) =>
    expect(locationOf(routeOf(verb), path, reply)).toBe(location),
  );

  test.each([
    ['12', 12],
    ['-3', -3],
    ['1.5', 1.5],
    ['1e3', '1e3'],
    ['0x10', '0x10'],
    [' 1', ' 1'],
    ['', ''],
    ['9'.repeat(17), '9'.repeat(17)],
  ])('a number in the query: %s', (text, value) => {
    const merged = mergeRequest(routeOf('home.list'), { params: {}, query: { limit: text }, body: undefined });
    expect(merged.ok && merged.value.limit).toBe(value);
  });

  test('names from outside never become inherited ones', () => {
    for (const name of ['__proto__', 'constructor', 'toString']) {
      const body = JSON.parse(`{"name":"x","${name}":{"polluted":true}}`);
      const merged = mergeRequest(routeOf('home.create'), { params: {}, query: {}, body });
      expect(merged.ok && routeOf('home.create').check(merged.value)).toMatchObject({ pointer: `/${name}` });
      expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
    }
  });
});

describe('canonical', () => {
  test('is the same for the same value in any order, and differs for different values', () => {
    const shuffled = (value: unknown): unknown => {
      if (Array.isArray(value)) return value.map(shuffled);
      if (typeof value !== 'object' || value === null) return value;
      return Object.fromEntries(
        Object.entries(value)
          .reverse()
          .map(([name, one]) => [name, shuffled(one)]),
      );
    };
    fc.assert(
      fc.property(fc.jsonValue(), fc.jsonValue(), (a, b) => {
        expect(canonical(shuffled(a))).toBe(canonical(a));
        expect(canonical(a) === canonical(b)).toBe(canonical(shuffled(b)) === canonical(a));
        expect(canonical(JSON.parse(canonical(a)))).toBe(canonical(a));
      }),
    );
  });
});
