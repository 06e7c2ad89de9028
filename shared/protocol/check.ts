/** Checks bodies against the schemas of the verb table; validators are compiled once, at their first use. */
import type { TSchema } from 'typebox';
import { Compile, type Validator } from 'typebox/compile';
import { type Fault, fault } from './fault.ts';

const validators = new Map<TSchema, Validator>();

function validator(schema: TSchema): Validator {
  let known = validators.get(schema);
  if (known === undefined) {
    known = Compile(schema) as unknown as Validator;
    validators.set(schema, known);
  }
  return known;
}

/** Undefined where `value` is of the form; else `bad_request`, which names the first field at fault. */
export function misfit(schema: TSchema, value: unknown): Fault | undefined {
  const check = validator(schema);
  if (check.Check(value)) return undefined;
  const first = check.Errors(value)[0];
  const pointer = first?.instancePath;
  const words = first?.keyword === 'boolean' ? 'is not known here' : first?.message;
  return fault('bad_request', words, pointer === undefined || pointer === '' ? {} : { pointer });
}

/** The value without fields that the schema does not know (taken out in place): how an older reader takes a newer writer's. */
export function trimmed(schema: TSchema, value: unknown): unknown {
  return validator(schema).Clean(value);
}
