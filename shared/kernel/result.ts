/** An expected outcome as a value. A bug throws; an outcome that a caller must handle is returned. */
export type Result<T, E> = Ok<T> | Err<E>;

export interface Ok<T> {
  readonly ok: true;
  readonly value: T;
}

export interface Err<E> {
  readonly ok: false;
  readonly fault: E;
}

export function ok<T>(value: T): Ok<T> {
  return { ok: true, value };
}

export function err<E>(fault: E): Err<E> {
  return { ok: false, fault };
}
