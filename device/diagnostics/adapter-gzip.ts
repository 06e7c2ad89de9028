/** Compression by Node's own zlib, in this thread: it takes no world. */
import { gzipSync } from 'node:zlib';

export const gzip = (data: Uint8Array): Uint8Array => new Uint8Array(gzipSync(data, { level: 6 }));
