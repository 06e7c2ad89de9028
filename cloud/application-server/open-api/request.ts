/** What one request to the open API is made of, apart from any HTTP library. */
import type { Context } from '#cloud/bus/bus.ts';
import type { PartContext } from '#cloud/bus/part.ts';
import type { Credential } from './credentials.ts';

/** What the adapter knows of a request before its body. */
export interface Incoming {
  readonly method: string;
  /** Without the query. */
  readonly path: string;
  /** Address of the other end of the connection. */
  readonly source: string;
  readonly secure: boolean;
  header(name: string): string | undefined;
}

/** A request that may go on. */
export interface Admission {
  readonly credential: Credential | undefined;
  readonly context: Context;
  /** RateLimit headers of the reply. */
  readonly limits: Readonly<Record<string, string>>;
}

/** What the API needs of its surroundings. */
export type ApiContext = Pick<PartContext, 'world' | 'store' | 'bus'>;
