import type { Migration } from '../migrations.ts';

export const sessionSchema: Migration = { name: '0002-session', statements: [] };
