/** The Identity header field (RFC 8224 section 4): a PASSporT, where its signer's certificates are, and of what kind it is. */
import { parseParams, skipSpace, writeParams } from './params.ts';

export interface Identity {
  /** The PASSporT, as it stands there. */
  readonly token: string;
  /** URI of the certificates. */
  readonly info: string;
  /** Lower case is not made: `ES256`. Absent: what the PASSporT says. */
  readonly alg?: string;
  /** The kind of the PASSporT, such as `shaken`. */
  readonly ppt?: string;
}

/** Characters of one Identity value that are read. */
export const IDENTITY_LIMIT = 8192;

/** Reads one value; undefined where it is malformed or longer than anybody needs. */
export function readIdentity(value: string): Identity | undefined {
  if (value.length > IDENTITY_LIMIT) return undefined;
  const semicolon = value.indexOf(';');
  if (semicolon < 0) return undefined;
  const token = value.slice(0, semicolon).trim();
  const name = skipSpace(value, semicolon + 1);
  if (token === '' || !/^[A-Za-z0-9._-]+$/.test(token)) return undefined;
  if (value.slice(name, name + 4).toLowerCase() !== 'info') return undefined;
  const equals = skipSpace(value, name + 4);
  if (value.charAt(equals) !== '=') return undefined;
  const open = skipSpace(value, equals + 1);
  const close = value.indexOf('>', open);
  if (value.charAt(open) !== '<' || close < open + 2) return undefined;
  const params = parseParams(value, close + 1);
  if (params === undefined) return undefined;
  const [alg, ppt] = [params.get('alg'), params.get('ppt')];
  return {
    ...{ token, info: value.slice(open + 1, close) },
    ...(alg === undefined ? {} : { alg }),
    ...(ppt === undefined ? {} : { ppt }),
  };
}

/** The value of a header field; `ppt` is a quoted word (RFC 8224 section 4). */
export function writeIdentity({ token, info, alg, ppt }: Identity): string {
  const params = new Map(alg === undefined ? [] : [['alg', alg]]);
  return `${token};info=<${info}>${writeParams(params)}${ppt === undefined ? '' : `;ppt="${ppt}"`}`;
}
