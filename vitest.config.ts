import { defineConfig } from 'vitest/config';

/**
 * Unit tests stand beside their file; whole-system tests stand in test/.
 * `interop` and `e2e` need third-party programs and name themselves as skipped where those are absent.
 */
export default defineConfig({
  test: {
    include: [
      '{shared,cloud,device,cli,simulator,apps}/**/*.test.ts',
      'test/{law,scenario,interop,e2e,api}/**/*.test.ts',
    ],
    testTimeout: 30_000,
    hookTimeout: 30_000,
    maxWorkers: 2,
    pool: 'forks',
  },
});
