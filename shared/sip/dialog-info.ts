/** The body of the event package `dialog` (RFC 4235): the calls of a line, for busy lamps and for whoever picks a call up. */

import { parseParams } from './params.ts';

export const DIALOG_INFO = 'application/dialog-info+xml';

export interface DialogView {
  /** Names the dialog within the document. */
  readonly id: string;
  readonly direction: 'initiator' | 'recipient';
  readonly state: 'trying' | 'early' | 'confirmed' | 'terminated';
  /** The dialog as the phone of the line knows it; absent until there is one. */
  readonly callId?: string;
  readonly localTag?: string;
  readonly remoteTag?: string;
  /** The other side: URI and name, left out where it is withheld. */
  readonly remote?: { readonly uri: string; readonly name?: string };
}

/** The state of a side that rings: it has a dialog, which somebody may name to take the call, once there is a tag at both ends (section 3.7.1). */
export const ringing = (phoneTag: string | undefined): 'trying' | 'early' =>
  phoneTag === undefined ? 'trying' : 'early';

/** Those that a subscription is for: what is named in its Event (section 3.2), with the tags as the phone of the line has them; else all. */
export function wanted(event: string, dialogs: readonly DialogView[]): DialogView[] {
  const at = event.indexOf(';');
  const params = at < 0 ? undefined : parseParams(event, at);
  const [callId, toTag, fromTag] = ['call-id', 'to-tag', 'from-tag'].map((name) => params?.get(name));
  const fits = (asked: string | undefined, own: string | undefined) => asked === undefined || asked === own;
  return dialogs.filter((one) => fits(callId, one.callId) && fits(toTag, one.localTag) && fits(fromTag, one.remoteTag));
}

/** The dialogs of now, and those that were told of before and are over: a subscriber hears of every end. */
export function withEnded(now: readonly DialogView[], before: readonly DialogView[]): DialogView[] {
  const ended = before.filter(({ id }) => !now.some((one) => one.id === id));
  return [...now, ...ended.map((one) => ({ ...one, state: 'terminated' as const }))];
}

/** A whole document (`state="full"`); `version` grows by one with each NOTIFY of a subscription. */
export function writeDialogInfo(entity: string, version: number, dialogs: readonly DialogView[]): string {
  const all = dialogs.map((one) => dialogXml(entity, one)).join('');
  return `<?xml version="1.0"?>\n<dialog-info xmlns="urn:ietf:params:xml:ns:dialog-info" version="${version}" state="full" entity="${escaped(entity)}">${all}</dialog-info>\n`;
}

function dialogXml(entity: string, { id, direction, state, callId, localTag, remoteTag, remote }: DialogView): string {
  const given: [string, string | undefined][] = [
    ['id', id],
    ['call-id', callId],
    ['local-tag', localTag],
    ['remote-tag', remoteTag],
    ['direction', direction],
  ];
  const attributes = given.flatMap(([name, value]) => (value === undefined ? [] : [` ${name}="${escaped(value)}"`]));
  return `<dialog${attributes.join('')}><state>${state}</state><local>${identity(entity)}</local>${remote === undefined ? '' : `<remote>${identity(remote.uri, remote.name)}</remote>`}</dialog>`;
}

function identity(uri: string, name?: string): string {
  const display = name === undefined ? '' : ` display="${escaped(name)}"`;
  return `<identity${display}>${escaped(uri)}</identity><target uri="${escaped(uri)}"/>`;
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&apos;',
};

/** Text for XML 1.0; characters that it cannot hold are left out. */
function escaped(text: string): string {
  let safe = '';
  for (const char of text) {
    const code = char.codePointAt(0) ?? 0;
    if (code < 32 || (code >= 0xd800 && code < 0xe000) || code === 0xfffe || code === 0xffff) continue;
    safe += ENTITIES[char] ?? char;
  }
  return safe;
}

/** Dialogs of a document that are read. */
const DIALOGS_LIMIT = 100;
const STATES: readonly string[] = ['trying', 'early', 'confirmed', 'terminated'];

/** The dialogs of a whole document as `writeDialogInfo` writes it; undefined for anything else. What it has beyond that is not looked at. */
export function readDialogInfo(text: string): DialogView[] | undefined {
  if (!text.includes('<dialog-info ') || !text.includes(' state="full"')) return undefined;
  const dialogs: DialogView[] = [];
  for (let at = text.indexOf('<dialog '); at >= 0; at = text.indexOf('<dialog ', at + 1)) {
    const end = text.indexOf('</dialog>', at);
    const dialog = end < 0 ? undefined : readDialog(text.slice(at, end));
    if (dialog === undefined || dialogs.length >= DIALOGS_LIMIT) return undefined;
    dialogs.push(dialog);
  }
  return dialogs;
}

function readDialog(text: string): DialogView | undefined {
  const opening = text.slice(0, text.indexOf('>') + 1);
  const [id, direction] = [attribute(opening, 'id'), attribute(opening, 'direction')];
  const state = between(text, '<state>', '</state>');
  if (id === undefined || state === undefined || !STATES.includes(state)) return undefined;
  const [callId, localTag] = [attribute(opening, 'call-id'), attribute(opening, 'local-tag')];
  const remoteTag = attribute(opening, 'remote-tag');
  const remote = between(text, '<remote>', '</remote>');
  const uri = remote === undefined ? undefined : between(remote.slice(remote.indexOf('<identity')), '>', '</identity>');
  const name = remote === undefined ? undefined : attribute(remote.slice(0, remote.indexOf('>') + 1), 'display');
  return {
    ...{ id, state: state as DialogView['state'] },
    direction: direction === 'initiator' ? 'initiator' : 'recipient',
    ...(callId === undefined ? {} : { callId }),
    ...(localTag === undefined ? {} : { localTag }),
    ...(remoteTag === undefined ? {} : { remoteTag }),
    ...(uri === undefined ? {} : { remote: { uri: plain(uri), ...(name === undefined ? {} : { name }) } }),
  };
}

function between(text: string, from: string, to: string): string | undefined {
  const start = text.indexOf(from);
  const end = start < 0 ? -1 : text.indexOf(to, start + from.length);
  return end < 0 ? undefined : text.slice(start + from.length, end);
}

function attribute(opening: string, name: string): string | undefined {
  const value = between(opening, ` ${name}="`, '"');
  return value === undefined ? undefined : plain(value);
}

/** Text out of XML. */
function plain(text: string): string {
  let read = text;
  for (const [char, entity] of Object.entries(ENTITIES).reverse()) read = read.replaceAll(entity, char);
  return read;
}
