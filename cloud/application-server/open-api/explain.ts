/** Why a request does not match its schema, in words and with a pointer to the field. Pure. */
import { type Fault, fault } from '#shared/protocol/fault.ts';

/** One error of the validator: the JSON Schema keyword that failed, where, and its parameters. */
export interface SchemaError {
  readonly keyword: string;
  readonly instancePath: string;
  readonly params: object;
  readonly message: string;
}

/** The fault for the most telling of the errors: an unknown field, then a missing one, then a wrong value. */
export function explain(errors: readonly SchemaError[]): Fault {
  for (const error of errors) {
    const name = firstName(error, 'additionalProperties');
    if (name !== undefined) return at(error, `There is no field ${quote(name)} here.`, name);
  }
  for (const error of errors) {
    const name = firstName(error, 'requiredProperties');
    if (name !== undefined) return at(error, `The field ${quote(name)} is missing.`, name);
  }
  const error = errors.find((one) => one.keyword !== 'anyOf') ?? errors[0];
  if (error === undefined) return fault('bad_request');
  const allowed = (error.params as { allowedValues?: unknown }).allowedValues;
  const words = Array.isArray(allowed) ? `must be one of ${allowed.join(', ')}` : error.message;
  const place = error.instancePath === '' ? 'The request' : `The field ${quote(error.instancePath.slice(1))}`;
  return at(error, `${place} ${words}.`);
}

function firstName(error: SchemaError, list: 'additionalProperties' | 'requiredProperties'): string | undefined {
  const names = (error.params as Readonly<Record<string, unknown>>)[list];
  return Array.isArray(names) && typeof names[0] === 'string' ? names[0] : undefined;
}

function at(error: SchemaError, detail: string, name?: string): Fault {
  const last = name === undefined ? '' : `/${name.slice(0, 64).replaceAll('~', '~0').replaceAll('/', '~1')}`;
  return fault('bad_request', detail, { pointer: `${error.instancePath}${last}`.slice(0, 256) });
}

function quote(name: string): string {
  return JSON.stringify(name.slice(0, 64));
}
