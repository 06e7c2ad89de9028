/** `bundle`: fetches the support bundle part by part and checks it. */
import { fromBase64 } from '#shared/kernel/base64.ts';
import { size } from '../check.ts';
import { ask, type Exit, jsonOption, type Reply, type TechCommand, timeoutOption, told } from './command.ts';

const bundle: TechCommand = {
  words: 'bundle',
  about: 'Makes a support bundle without secrets (.tar.gz, at most 5 MiB).',
  options: {
    preview: { kind: 'flag', about: 'name its files and their sizes, fetch nothing' },
    out: { kind: 'text', value: 'FILE', about: 'where to write it (-o); default hearthline-bundle.tar.gz' },
    json: jsonOption,
    timeout: timeoutOption,
  },
  async run({ place, values }): Promise<Exit> {
    const made = await ask(place, values, 'gateway.bundle', {});
    if (!made.ok) return told(place, made.fault);
    const { id, octets, sha256, parts } = made.value;
    if (values.preview === 'true' || place.save === undefined) {
      place.out(values.json === 'true' ? JSON.stringify(made.value) : preview(made.value));
      if (values.preview !== 'true')
        place.error('There is no place for a file here; fetch it from a shell or through the cloud.');
      return values.preview === 'true' ? 0 : 3;
    }
    const data = new Uint8Array(octets);
    let at = 0;
    for (let part = 0; part < parts; part++) {
      const outcome = await ask(place, values, 'gateway.bundle', { bundle: id, part });
      if (!outcome.ok) return told(place, outcome.fault);
      const piece = fromBase64(outcome.value.data ?? '');
      if (piece === undefined || at + piece.length > octets) return broken(place.error);
      data.set(piece, at);
      at += piece.length;
    }
    if (at !== octets) return broken(place.error);
    const name = values.out ?? 'hearthline-bundle.tar.gz';
    await place.save(name, data);
    place.out(
      values.json === 'true'
        ? JSON.stringify({ file: name, octets, sha256 })
        : `${name}: ${size(octets)}, sha256 ${sha256}`,
    );
    return 0;
  },
};

function broken(error: (text: string) => void): Exit {
  error('The bundle did not arrive whole; try again.');
  return 2;
}

function preview({ files, octets }: Reply<'gateway.bundle'>): string {
  return [
    ...files.map(({ name, octets: n }) => `${String(n).padStart(9)}  ${name}`),
    `${size(octets)} compressed`,
  ].join('\n');
}

export const bundlingCommands: readonly TechCommand[] = [bundle];
