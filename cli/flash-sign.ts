/** Keys, signatures and lists of releases: made where the release is made, never where the image is built. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { hostCrypto } from '#shared/host/crypto.ts';
import { type ImageEntry, readManifest, signManifest, writePublicPem } from '#shared/protocol/image-manifest.ts';
import type { Command } from './command.ts';
import { releaseList } from './flash/list.ts';
import { trustedEntry } from './flash/trust.ts';

export const flashKeyCommand: Command = {
  about: 'Makes a key that signs images: FILE (keep it secret) and FILE.pub, which `hearthline flash --key` takes.',
  words: 1,
  usage: 'hearthline flash key FILE',
  options: {},
  async run({ words }, io) {
    const [file] = words;
    if (file === undefined || existsSync(file) || existsSync(`${file}.pub`)) {
      io.error('hearthline flash key: name one file that does not exist yet.');
      return 3;
    }
    const key = await hostCrypto().createKey('Ed25519');
    writeFileSync(file, key.privateKey, { mode: 0o600, flag: 'wx' });
    writeFileSync(`${file}.pub`, writePublicPem(key.publicKey), { flag: 'wx' });
    io.out(`${file} (secret) and ${file}.pub`);
    return 0;
  },
};

export const flashSignCommand: Command = {
  about: 'Signs the manifest of an image; the signature goes beside it.',
  words: 2,
  usage: 'hearthline flash sign NAME.manifest.json KEY',
  options: {},
  async run({ words }, io) {
    const [manifest = '', key = ''] = words;
    if (!manifest.endsWith('.manifest.json') || !existsSync(manifest) || !existsSync(key)) {
      io.error('hearthline flash sign: name a manifest (NAME.manifest.json) and the file of a secret key.');
      return 3;
    }
    const octets = new Uint8Array(readFileSync(manifest));
    const read = readManifest(new TextDecoder().decode(octets));
    if (!read.ok) {
      io.error(`${manifest}: ${read.fault}.`);
      return 2;
    }
    const path = manifest.replace(/\.manifest\.json$/, '.sig');
    writeFileSync(path, await signManifest(hostCrypto(), readFileSync(key, 'utf8'), octets));
    io.out(path);
    return 0;
  },
};

export const flashListCommand: Command = {
  about: 'Prints the list of releases that Raspberry Pi Imager reads, newest first, out of their signed manifests.',
  words: Number.POSITIVE_INFINITY,
  usage: 'hearthline flash list NAME.manifest.json… --base URL --key FILE',
  options: {
    base: {
      kind: 'text',
      value: 'URL',
      about: 'where the images lie, for manifests that name a file alone',
      required: true,
    },
    key: { kind: 'text', value: 'FILE,…', about: 'public keys (PEM) of those who may have signed' },
    unsigned: { kind: 'flag', about: 'take manifests that nobody has signed' },
  },
  async run({ words, values }, io) {
    if (words.length === 0) {
      io.error(`usage: ${flashListCommand.usage}`);
      return 3;
    }
    const keys = (values.key ?? '').split(',').filter((key) => key !== '');
    const entries: ImageEntry[] = [];
    for (const manifest of words) {
      const entry = await trustedEntry({
        image: '',
        keys,
        manifest,
        unsigned: values.unsigned === 'true' && existsSync(manifest),
      });
      if (!entry.ok || entry.value === undefined) {
        io.error(`${manifest}: ${entry.ok ? 'is no manifest.' : entry.fault}`);
        return 2;
      }
      entries.push(entry.value);
    }
    const list = releaseList(entries, values.base ?? '');
    if (!list.ok) {
      io.error(`hearthline flash list: ${list.fault}.`);
      return 2;
    }
    io.out(list.value.trimEnd());
    return 0;
  },
};
