/**
 * A throw-away certificate authority for development and CI: root -> intermediate -> signer, each back-dated, so that a gateway whose
 * clock starts at its image's build day takes what they sign. `bin/node images/raspberry-pi/dev-ca.ts FOLDER [--days N]`.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Signer } from './bundle.ts';

/** The files of an authority. */
export interface Authority extends Signer {
  /** Root certificate: what goes into the image (`--keyring`). */
  readonly keyring: string;
  readonly intermediate: string;
}

/** Settings of an authority. */
export interface AuthoritySettings {
  readonly name: string;
  /** First and last second of the signer, UTC (`YYYYMMDDHHMMSSZ`). */
  readonly from: string;
  readonly until: string;
}

const DEFAULTS: AuthoritySettings = {
  name: 'Hearthline development',
  from: '20250101000000Z',
  until: '20350101000000Z',
};

const CONFIG = `[ca]
default_ca = own
[own]
database = index
new_certs_dir = .
rand_serial = yes
policy = any
default_md = sha256
unique_subject = no
[any]
commonName = supplied
[req]
distinguished_name = none
[none]
[root]
basicConstraints = critical,CA:true
keyUsage = critical,keyCertSign,cRLSign
subjectKeyIdentifier = hash
[between]
basicConstraints = critical,CA:true,pathlen:0
keyUsage = critical,keyCertSign
subjectKeyIdentifier = hash
[signer]
basicConstraints = critical,CA:false
keyUsage = critical,digitalSignature
extendedKeyUsage = critical,codeSigning
subjectKeyIdentifier = hash
`;

/** Makes an authority in `folder`, which must be empty or new; the signer's time comes from the settings, its parents span it. */
export function makeAuthority(folder: string, settings: Partial<AuthoritySettings> = {}): Authority {
  const { name, from, until } = { ...DEFAULTS, ...settings };
  if (existsSync(join(folder, 'root.key'))) throw new Error(`${folder} already holds an authority`);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  writeFileSync(join(folder, 'ca.conf'), CONFIG);
  writeFileSync(join(folder, 'index'), '');
  const openssl = (...args: string[]) => execFileSync('openssl', args, { cwd: folder, stdio: 'pipe' });
  const request = (who: string, subject: string) => {
    openssl('genpkey', '-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-256', '-out', `${who}.key`);
    openssl(
      'req',
      '-new',
      '-config',
      'ca.conf',
      '-key',
      `${who}.key`,
      '-subj',
      `/CN=${name} ${subject}`,
      '-out',
      `${who}.csr`,
    );
  };
  const sign = (who: string, by: string, section: string, start: string, end: string) =>
    openssl(
      ...[
        'ca',
        '-batch',
        '-config',
        'ca.conf',
        '-extensions',
        section,
        '-startdate',
        start,
        '-enddate',
        end,
        '-notext',
      ],
      ...['-in', `${who}.csr`, '-out', `${who}.pem`, '-keyfile', `${by}.key`],
      ...(who === by ? ['-selfsign'] : ['-cert', `${by}.pem`]),
    );
  request('root', 'root');
  sign('root', 'root', 'root', '20200101000000Z', '20450101000000Z');
  request('intermediate', 'intermediate');
  sign('intermediate', 'root', 'between', '20200101000000Z', '20440101000000Z');
  request('signer', 'signer');
  sign('signer', 'intermediate', 'signer', from, until);
  const at = (file: string) => join(folder, file);
  return {
    keyring: at('root.pem'),
    certificate: at('signer.pem'),
    key: at('signer.key'),
    intermediate: at('intermediate.pem'),
  };
}

if (import.meta.main) {
  const [folder] = process.argv.slice(2);
  if (folder === undefined || folder.startsWith('-')) {
    console.error('usage: dev-ca FOLDER   (outside the source tree; makes root, intermediate and signer)');
    process.exit(2);
  }
  const made = makeAuthority(resolve(folder));
  console.log(`keyring for the build: ${made.keyring}\nsigner: ${made.certificate} ${made.key} ${made.intermediate}`);
}
