import type { Migration } from '../migrations.ts';

export const farmSchema: Migration = { name: '0004-farm', statements: [] };
