/** The body of the event package `dialog` (RFC 4235): the calls of a line, for busy lamps and for whoever picks a call up. */

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
