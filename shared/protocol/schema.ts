/** Schemas that several verbs share. */
import Type from 'typebox';

export const Id = Type.String({ pattern: '^[A-Za-z0-9_-]{1,64}$' });
export const Name = Type.String({ minLength: 1, maxLength: 64, pattern: '^[^\\u0000-\\u001f\\u007f]*$' });
export const At = Type.Integer({ minimum: 0, description: 'milliseconds since 1970-01-01T00:00Z' });
export const Micro = Type.Integer({ description: 'money in millionths of the currency unit' });
/** One payment in, or taken back: at most a million units of the currency. */
export const Payment = Type.Integer({
  minimum: -1_000_000_000_000,
  maximum: 1_000_000_000_000,
  description: 'money in millionths of the currency unit; negative takes it back',
});
export const E164 = Type.String({ pattern: '^\\+[1-9][0-9]{4,14}$', description: 'E.164 number' });
/** A line id, an E.164 number or a SIP URI. */
export const Party = Type.String({ minLength: 1, maxLength: 256, pattern: '^[^\\s<>"]+$' });
/** What a phone can dial: a number, a username, a short code. It goes into a SIP URI as it is. */
export const Dialled = Type.String({ pattern: '^[A-Za-z0-9+*._-]{1,64}$' });
export const Sdp = Type.String({ maxLength: 16_384 });
export const Empty = Type.Object({}, { additionalProperties: false });
export const Cursor = Type.Object(
  {
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 500 })),
    after: Type.Optional(Type.String({ maxLength: 128 })),
  },
  { additionalProperties: false },
);

/** A request object: unknown fields are refused, since a misspelt one would be ignored in silence. */
export function request<T extends Type.TProperties>(properties: T) {
  return Type.Object(properties, { additionalProperties: false });
}

/** `{ items, next? }`: `next` is the `after` of the following page. */
export function listOf<T extends Type.TSchema>(item: T) {
  return Type.Object({ items: Type.Array(item), next: Type.Optional(Type.String()) });
}

/** One of a few words. */
export function literals<const T extends readonly string[]>(...values: T) {
  return Type.Unsafe<T[number]>({ type: 'string', enum: [...values] });
}
