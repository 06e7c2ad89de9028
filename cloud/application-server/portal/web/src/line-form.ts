/** Between the fields of a line's page and its features. */
import type { VerbRequest } from '#shared/protocol/verbs/index.ts';

export type Features = VerbRequest<'line.features.set'>['features'];

const BARS = ['local', 'national', 'mobile', 'international', 'premium', 'free'] as const;
const TICKS = ['doNotDisturb', 'rejectAnonymous', 'noWaiting', 'noHoldMusic', 'hideNumber'] as const;

export function listText(items: readonly string[] | undefined): string {
  return items?.join('\n') ?? '';
}

export function contactsText(contacts: Features['contacts']): string {
  const one = ({ number, name, ring }: NonNullable<Features['contacts']>[number]) =>
    [number, name ?? '', ring ?? ''].join(', ').replace(/[, ]+$/, '');
  return contacts?.map(one).join('\n') ?? '';
}

export function shortText(short: Features['short']): string {
  return short?.map(({ code, to }) => `${code}, ${to}`).join('\n') ?? '';
}

/** What the fields say. */
export function featuresOf(fields: FormData): Features {
  const text = (name: string) => String(fields.get(name) ?? '').trim();
  const list = (name: string) => linesOf(text(name));
  const set = <K extends string, V>(name: K, value: V, is: boolean) =>
    (is ? { [name]: value } : {}) as { [N in K]?: V };
  const filled = (name: string) => set(name, text(name), text(name) !== '');
  const listed = (name: string) => set(name, list(name), list(name).length > 0);
  const forward = Object.assign({}, ...['always', 'busy', 'noAnswer', 'offline'].map(filled));
  const bar = BARS.filter((name) => fields.has(`bar.${name}`));
  const after = Number(text('noAnswerAfter'));
  const wait = Number(text('hotLineAfter'));
  const contacts = list('contacts').map(contactOf);
  const short = list('short').map(shortOf);
  return {
    ...Object.assign({}, ...TICKS.map((name) => set(name, true, fields.has(name)))),
    ...Object.assign({}, ...['block', 'allow', 'ringAlso', 'hunt'].map(listed)),
    ...Object.assign({}, ...['pin', 'hotLine'].map(filled)),
    ...set('forward', forward, Object.keys(forward).length > 0),
    ...set('noAnswerAfter', after, after > 0),
    ...set('bar', bar, bar.length > 0),
    ...set('contacts', contacts, contacts.length > 0),
    ...set('hotLineAfter', wait, wait > 0),
    ...set('short', short, short.length > 0),
  };
}

function shortOf(line: string): NonNullable<Features['short']>[number] {
  const [code = '', to = ''] = line.split(',').map((word) => word.trim());
  return { code, to };
}

/** Number, name, ring: a name may have commas of its own. */
function contactOf(line: string): NonNullable<Features['contacts']>[number] {
  const [number = '', ...words] = line.split(',').map((word) => word.trim());
  const ring = words.length > 1 ? words.at(-1) : undefined;
  const known = ring === 'family' || ring === 'friend' ? ring : undefined;
  const name = (known === undefined ? words : words.slice(0, -1)).filter((word) => word !== '').join(', ');
  return { number, ...(name === '' ? {} : { name }), ...(known === undefined ? {} : { ring: known }) };
}

function linesOf(text: string): string[] {
  return text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');
}
