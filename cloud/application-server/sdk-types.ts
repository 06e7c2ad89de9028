/** The SDK's types, generated from the verb table: request and reply of every operation that an application could be granted. Pure. */
import type { VerbEntry } from '#shared/protocol/verb.ts';
import { verbs } from '#shared/protocol/verbs/index.ts';

interface Schema {
  readonly type?: string;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly anyOf?: readonly Schema[];
  readonly items?: Schema;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly patternProperties?: Readonly<Record<string, Schema>>;
}

/** The text of `sdk/generated.ts`. */
export function sdkTypes(): string {
  const lines = [
    '/** Generated from the verb table by `hearthline docs`; never edited by hand. */',
    '',
    '/** Operations of the open API by verb. */',
    'export interface Verbs {',
  ];
  for (const [name, entry] of Object.entries(verbs as Readonly<Record<string, VerbEntry>>)) {
    if (!isForApps(entry)) continue;
    lines.push(`  /** ${entry.about.replaceAll('*/', '* /')} Scope ${entry.scope}. */`);
    lines.push(`  '${name}': {`);
    lines.push(`    request: ${typeOf(entry.request as Schema, '    ')};`);
    lines.push(`    reply: ${typeOf(entry.reply as Schema, '    ')};`, '  };');
  }
  return `${lines.join('\n')}\n}\n`;
}

function isForApps({ http, scope, roles }: VerbEntry): boolean {
  return (
    http !== undefined &&
    http.stream !== true &&
    scope !== undefined &&
    (roles ?? ['subscriber']).includes('subscriber')
  );
}

function typeOf(schema: Schema, indent: string): string {
  if (schema.const !== undefined) return literal(schema.const);
  if (schema.enum !== undefined) return schema.enum.map(literal).join(' | ');
  if (schema.anyOf !== undefined) return schema.anyOf.map((one) => typeOf(one, indent)).join(' | ');
  if (schema.type === 'string' || schema.type === 'boolean' || schema.type === 'null') return schema.type;
  if (schema.type === 'integer' || schema.type === 'number') return 'number';
  if (schema.type === 'array') return arrayOf(typeOf(schema.items ?? {}, indent));
  if (schema.type === 'object') return objectOf(schema, indent);
  return 'unknown';
}

function literal(value: unknown): string {
  return typeof value === 'string' ? `'${value.replaceAll("'", "\\'")}'` : JSON.stringify(value);
}

function arrayOf(item: string): string {
  return /[ |]/.test(item) && !item.startsWith('{') ? `(${item})[]` : `${item}[]`;
}

function objectOf({ properties = {}, required = [], patternProperties }: Schema, indent: string): string {
  const names = Object.keys(properties);
  const [pattern] = Object.values(patternProperties ?? {});
  if (names.length === 0)
    return pattern === undefined ? 'Record<string, unknown>' : `Record<string, ${typeOf(pattern, indent)}>`;
  const inner = `${indent}  `;
  const fields = names.map((name) => {
    const key = /^[A-Za-z_$][\w$]*$/.test(name) ? name : `'${name}'`;
    return `${inner}${key}${required.includes(name) ? '' : '?'}: ${typeOf(properties[name] ?? {}, inner)};`;
  });
  return `{\n${fields.join('\n')}\n${indent}}`;
}
