/** Authorities and certificates by the openssl program, in a folder of their own. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const OPENSSL = '/usr/bin/openssl';

/** Authorities of two levels. */
const EXTENSIONS = `
[root]
basicConstraints=critical,CA:TRUE
keyUsage=critical,keyCertSign,cRLSign
[middle]
basicConstraints=critical,CA:TRUE,pathlen:0
keyUsage=critical,keyCertSign
`;

export class OpensslAuthority {
  readonly folder: string;

  /** `extensions`: sections of its configuration beside `root` and `middle`, which it has made then. */
  constructor(folder: string, extensions: string, key?: readonly string[]) {
    this.folder = folder;
    mkdirSync(folder);
    writeFileSync(this.at('x.cnf'), EXTENSIONS + extensions);
    this.issue('root', 'root', undefined, key);
    this.issue('middle', 'middle', 'root', key);
  }

  at(name: string): string {
    return join(this.folder, name);
  }

  text(name: string): string {
    return readFileSync(this.at(name), 'utf8');
  }

  run(...words: string[]): string {
    return execFileSync(OPENSSL, words, { cwd: this.folder, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  }

  /** A key, and its certificate with those extensions by that issuer. */
  issue(name: string, extensions: string, issuer?: string, key: readonly string[] = ecKey('P-256')): void {
    this.run('genpkey', ...key, '-out', `${name}.key`);
    this.run('req', '-new', '-key', `${name}.key`, '-subj', `/CN=${name}`, '-out', `${name}.csr`);
    this.sign(name, extensions, issuer);
  }

  /** Certifies a request, with those extensions or with its own. */
  sign(name: string, extensions: string | undefined, issuer?: string): void {
    const by = issuer === undefined ? ['-signkey', `${name}.key`] : ['-CA', `${issuer}.pem`, '-CAkey', `${issuer}.key`];
    const own = ['-copy_extensions', 'copyall'];
    const what = extensions === undefined ? own : ['-extfile', 'x.cnf', '-extensions', extensions];
    const words = ['x509', '-req', '-in', `${name}.csr`, ...by, '-CAcreateserial', ...what, '-days', '2'];
    this.run(...words, '-out', `${name}.pem`);
  }
}

export const ecKey = (curve: string): readonly string[] => [
  '-algorithm',
  'EC',
  '-pkeyopt',
  `ec_paramgen_curve:${curve}`,
];

/** As TLS meets them in the field. */
export const RSA_KEY: readonly string[] = ['-algorithm', 'RSA', '-pkeyopt', 'rsa_keygen_bits:2048'];
