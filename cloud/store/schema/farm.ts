import type { Migration } from '../migration.ts';

export const farmSchema: Migration = { name: '0004-farm', statements: [] };
