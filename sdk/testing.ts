/** Types for an application's own test: `export async function test(kit: AppKit)` in `app.test.ts`. */
export type { AppKit } from '#simulator/app-kit.ts';
