import type { Migration } from '../migrations.ts';

export const billingSchema: Migration = { name: '0003-billing', statements: [] };
