/** What is known at once or only later. Most of a call is known at once, and a promise for it would cost a turn and its litter. */
export type Soon<T> = T | Promise<T>;

/** Goes on with what is known: in the same turn where it is known at once. What `use` throws is thrown then, not rejected. */
export function soon<T, R>(value: Soon<T>, use: (value: T) => Soon<R>): Soon<R> {
  return value instanceof Promise ? value.then(use) : use(value);
}
