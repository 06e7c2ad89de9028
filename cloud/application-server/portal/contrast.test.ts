/** The portal's colours against WCAG 2.2: text at least 4.5 : 1, edges of controls at least 3 : 1, light and dark. */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';

const css = readFileSync(new URL('web/src/style/base.css', import.meta.url), 'utf8');
const colours = new Map(
  [...css.matchAll(/--([\w-]+): light-dark\((#\w{6}), (#\w{6})\)/g)].map(([, name = '', light = '', dark = '']) => [
    name,
    { light, dark },
  ]),
);

/** Relative luminance (WCAG 2.2, definitions). */
function luminance(colour: string): number {
  const [r = 0, g = 0, b = 0] = [1, 3, 5].map((at) => {
    const c = Number.parseInt(colour.slice(at, at + 2), 16) / 255;
    return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

function contrast(a: string, b: string): number {
  const [dark = 0, light = 0] = [luminance(a), luminance(b)].sort((x, y) => x - y);
  return (light + 0.05) / (dark + 0.05);
}

const pairs = [
  ['ink', 'paper', 4.5],
  ['ink', 'surface', 4.5],
  ['ink', 'sunken', 4.5],
  ['ink', 'raised', 4.5],
  ['ink', 'busy-wash', 4.5],
  ['muted', 'paper', 4.5],
  ['muted', 'surface', 4.5],
  ['muted', 'sunken', 4.5],
  ['muted', 'busy-wash', 4.5],
  ['ember', 'paper', 4.5],
  ['ember', 'surface', 4.5],
  ['on-ember', 'ember', 4.5],
  ['good', 'good-wash', 4.5],
  ['busy', 'busy-wash', 4.5],
  ['bad', 'bad-wash', 4.5],
  ['bad', 'surface', 4.5],
  ['muted', 'paper', 3],
  ['voice', 'surface', 3],
  ['other', 'surface', 3],
] as const;

describe.each(['light', 'dark'] as const)('%s', (scheme) => {
  test.each(pairs)('%s on %s has at least %s : 1', (front, back, least) => {
    const [a, b] = [colours.get(front)?.[scheme], colours.get(back)?.[scheme]];
    expect(contrast(a ?? '#000000', b ?? '#000000')).toBeGreaterThanOrEqual(least);
  });
});

test('the measure itself', () => {
  expect(contrast('#000000', '#ffffff')).toBeCloseTo(21);
  expect(contrast('#777777', '#ffffff')).toBeCloseTo(4.48, 2);
});
