/** The pages of sign-in and consent, in plain words. Pure: text in, HTML out, everything from outside escaped. */

/** What a resource of the scopes is for people. */
const RESOURCES: Readonly<Record<string, string>> = {
  homes: 'the name of your home',
  lines: 'your telephone lines',
  gateways: 'your gateways',
  devices: 'the devices in your home',
  sessions: 'your calls and other sessions',
  calls: 'calls',
  conferences: 'conferences',
  media: 'music and other media on your phones',
  messages: 'your messages',
  groups: 'your groups',
  mails: 'your mail',
  mailboxes: 'your mailboxes',
  recordings: 'recordings of your calls',
  events: 'what happens in your home, as it happens',
  webhooks: 'where news of your home is sent',
  cdrs: 'the list of your calls and their prices',
  balances: 'your balance',
  presence: 'who and what is reachable in your home',
  qos: 'the priority of your internet traffic',
};

/** A scope as a sentence: `lines:read` becomes “See your telephone lines”. */
export function scopeInWords(scope: string): string {
  const [resource = '', action] = scope.split(':');
  const what = Object.hasOwn(RESOURCES, resource) ? RESOURCES[resource] : `your ${resource.replaceAll('-', ' ')}`;
  return `${action === 'write' ? 'Make and change' : 'See'} ${what}`;
}

export function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);
}

export const STYLE = `:root{color-scheme:light dark;font:16px/1.5 system-ui,sans-serif}body{margin:0;display:grid;min-height:100vh;place-items:center}
main{max-width:26rem;padding:1.5rem}h1{font-size:1.4rem}label{display:block;margin:.5rem 0}input[type=text],input[type=password]{display:block;width:100%;box-sizing:border-box;padding:.6rem;font:inherit}
button{font:inherit;padding:.6rem 1.2rem;margin:.5rem .5rem 0 0;min-height:44px}button.main{font-weight:600}.error{color:#b3261e}@media(prefers-color-scheme:dark){.error{color:#f2b8b5}}`;

export function page(title: string, inner: string): string {
  return `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1"><title>${escaped(title)}</title><link rel="stylesheet" href="/oauth/style.css"></head><body><main><h1>${escaped(title)}</h1>${inner}</main></body></html>`;
}

export function signInPage(uid: string, application: string, error?: string): string {
  const shown = error === undefined ? '' : `<p class="error" role="alert">${escaped(error)}</p>`;
  return page(
    'Sign in',
    `<p>${escaped(application)} asks to see your home. Sign in to decide.</p>${shown}<form method="post" action="/oauth/interaction/${escaped(uid)}"><input type="hidden" name="do" value="sign-in"><label>Name <input type="text" name="name" autocomplete="username" required autofocus></label><label>Password <input type="password" name="password" autocomplete="current-password" required></label><button class="main">Sign in</button></form>${refuseForm(uid)}`,
  );
}

export interface Wish {
  readonly uid: string;
  readonly application: string;
  readonly developer: string;
  readonly homes: readonly { readonly id: string; readonly name: string }[];
  readonly scopes: readonly string[];
}

export function consentPage({ uid, application, developer, homes, scopes }: Wish, error?: string): string {
  const boxes = homes.map(
    ({ id, name }) =>
      `<label><input type="checkbox" name="home" value="${escaped(id)}" checked> ${escaped(name)}</label>`,
  );
  const rights = scopes.map((scope) => `<li>${escaped(scopeInWords(scope))}</li>`);
  const shown = error === undefined ? '' : `<p class="error" role="alert">${escaped(error)}</p>`;
  return page(
    `Let ${application} in?`,
    `<p><strong>${escaped(application)}</strong> by ${escaped(developer)} would be able to:</p><ul>${rights.join('')}</ul>${shown}<form method="post" action="/oauth/interaction/${escaped(uid)}"><input type="hidden" name="do" value="allow"><fieldset><legend>In these homes</legend>${boxes.join('')}</fieldset><p>You can take this back at any time; it then ends at once.</p><button class="main">Allow</button></form>${refuseForm(uid)}`,
  );
}

function refuseForm(uid: string): string {
  return `<form method="post" action="/oauth/interaction/${escaped(uid)}"><input type="hidden" name="do" value="refuse"><button>Refuse</button></form>`;
}

/** `form` comes from the OAuth server: it carries its own hidden fields. */
export function codePage(form: string, wrong: boolean): string {
  const shown = wrong ? '<p class="error" role="alert">This code is not right. Try again.</p>' : '';
  return page(
    'Connect a device',
    `<p>Enter the code that the device shows.</p>${shown}${form}<button class="main" type="submit" form="op.deviceInputForm">Continue</button>`,
  );
}

export function confirmPage(form: string, application: string, code: string): string {
  return page(
    `Connect ${application}?`,
    `<p>Go on only if the device shows <strong>${escaped(code)}</strong>.</p>${form}<button class="main" type="submit" form="op.deviceConfirmForm">Continue</button><button type="submit" form="op.deviceConfirmForm" value="yes" name="abort">Refuse</button>`,
  );
}
