/** Keys and signatures of releases: made where the release is made, never where the image is built. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { hostCrypto } from '#shared/host/crypto.ts';
import { readManifest, signManifest, writePublicPem } from '#shared/protocol/image-manifest.ts';
import type { Command } from './command.ts';

export const flashKeyCommand: Command = {
  about: 'Makes a key that signs images: FILE (keep it secret) and FILE.pub, which `hearthline flash --key` takes.',
  usage: 'hearthline flash key FILE',
  options: {},
  async run({ words }, io) {
    const [file, ...more] = words;
    if (file === undefined || more.length > 0 || existsSync(file) || existsSync(`${file}.pub`)) {
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
  usage: 'hearthline flash sign NAME.manifest.json KEY',
  options: {},
  async run({ words }, io) {
    const [manifest = '', key = '', ...more] = words;
    if (more.length > 0 || !manifest.endsWith('.manifest.json') || !existsSync(manifest) || !existsSync(key)) {
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
