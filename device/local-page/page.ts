/** The gateway's page for the person in front of it: what it is doing, the code and the QR to pair it, and what to do next. Pure. */
import { type FaultCode, faults } from '#shared/protocol/fault.ts';
import type { StageRow, Standing } from '../first-boot/stages.ts';
import type { PairingStatus } from '../pairing/status.ts';
import { qrSvg } from './qr.ts';

/** The page may load nothing at all; its one style stands in it. */
export const CONTENT_SECURITY_POLICY =
  "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/** Seconds after which a browser asks again while something is going on, and once paired. */
const REFRESH = { busy: 3, paired: 30 } as const;

const headings: Readonly<Record<PairingStatus['at'], string>> = {
  starting: 'Looking for the cloud',
  unpaired: 'Getting a code',
  announced: 'Ready to pair',
  claimed: 'Pairing: asking for a certificate',
  reconnecting: 'Pairing: connecting with the new certificate',
  configuring: 'Pairing: applying the first settings',
  paired: 'Paired',
};

const STYLE =
  ':root{color-scheme:light dark}body{font:1.1rem/1.5 system-ui,sans-serif;max-width:34rem;margin:0 auto;padding:1.5rem}h1{font-size:1.6rem;margin:.2rem 0 1rem}svg{width:min(18rem,80vw);display:block;margin:1rem 0}.code{font:700 2.2rem/1.2 ui-monospace,monospace;letter-spacing:.12em}.note{border-left:.3rem solid #b45309;padding:.2rem 0 .2rem .8rem}dt{opacity:.75}dd{margin:0 0 .6rem;overflow-wrap:anywhere}small{opacity:.75}';

/** The whole page, UTF-8, well under 25 kB. */
export function renderPage(status: PairingStatus, stages?: Standing, wifi?: HouseWifi): string {
  const refresh = status.at === 'paired' ? REFRESH.paired : REFRESH.busy;
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1"><meta http-equiv="refresh" content="${refresh}"><title>${headings[status.at]} · Hearthline gateway</title><style>${STYLE}</style></head>
<body><main><small>Hearthline gateway</small><h1>${headings[status.at]}</h1>${note(status)}${body(status)}${ladder(stages)}${radio(wifi)}
<dl><dt>Gateway</dt><dd>${escapeHtml(status.gateway)}</dd><dt>Check words</dt><dd>${escapeHtml(status.words)}</dd></dl></main></body></html>
`;
}

function note({ at, cause, problem }: PairingStatus): string {
  const lines: string[] = [];
  if (problem !== undefined && at !== 'paired') lines.push(problem);
  if (cause !== undefined) lines.push(causeText(cause));
  return lines.map((line) => `<p class="note" role="status">${escapeHtml(line)}</p>`).join('');
}

/** Why the last pairing came to nothing, and what to do next, in the words of the fault table. */
export function causeText(cause: string): string {
  if (cause === 'removed') return 'This gateway was removed from its home. Pair it again to use it.';
  if (!Object.hasOwn(faults, cause)) return `The last pairing was undone (${cause}).`;
  const { title, next } = faults[cause as FaultCode];
  if (cause.startsWith('claim_')) return `${title}. ${next}`;
  return `The last pairing was undone: ${title}. ${next}`;
}

function body({ at, code, qr, online, homeName }: PairingStatus): string {
  if (code !== undefined && qr !== undefined) {
    return `<p>Scan this with the phone that has the app, or type the code there. Compare the check words below after typing.</p>${qrSvg(qr, 'QR code that pairs this gateway')}<p class="code">${escapeHtml(code)}</p>`;
  }
  if (at !== 'paired') return '';
  const home = homeName === undefined ? '' : `<p>Home: ${escapeHtml(homeName)}</p>`;
  return `${home}<p>${online ? 'Connected to the cloud.' : 'Not connected to the cloud just now; phones in the house still work. It tries again by itself.'}</p>`;
}

/** The house's own Wi-Fi network. */
export interface HouseWifi {
  readonly ssid: string;
  readonly password: string;
}

/** Shown to whoever is in the house's network already, by cable or by Wi-Fi: the page is nowhere else. */
function radio(wifi: HouseWifi | undefined): string {
  if (wifi === undefined) return '';
  return `<details><summary>Wi-Fi of this house</summary><p>Network <b>${escapeHtml(wifi.ssid)}</b>, password <b>${escapeHtml(wifi.password)}</b></p></details>`;
}

/** The nine stages, with the one that the gateway is at and what to do next; folded away once all is well. */
function ladder(stages: Standing | undefined): string {
  if (stages === undefined) return '';
  const rows = stages.rows.map(({ stage, is, text, next }) => {
    const here = stage === stages.stage ? ' aria-current="step"' : '';
    const words = is === 'later' ? '' : `: ${escapeHtml(text)}`;
    const todo = next === undefined ? '' : ` <strong>${escapeHtml(next)}</strong>`;
    return `<li${here}>${marks[is]} ${stage}${words}${todo}</li>`;
  });
  const open = stages.stage === 'ready' ? '' : ' open';
  return `<details${open}><summary>Stage ${stages.number} of ${stages.rows.length}: ${stages.stage}</summary><ol>${rows.join('')}</ol></details>`;
}

const marks: Readonly<Record<StageRow['is'], string>> = { done: '✓', now: '➜', missing: '–', later: '·' };

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
