/** Words and figures as a person reads them. */

const time = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit', second: '2-digit' });
const moment = new Intl.DateTimeFormat(undefined, {
  month: 'short',
  day: 'numeric',
  hour: '2-digit',
  minute: '2-digit',
});

export const timeText = (at: number): string => time.format(at);
export const momentText = (at: number): string => moment.format(at);

/** `1:05` from seconds. */
export function lengthText(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, '0')}`;
}

/** Micro-units as an amount. */
export function priceText(micro: number): string {
  return micro === 0 ? 'free' : (micro / 1e6).toFixed(4);
}

/** `conference-with-media` as `Conference with media`; what the API ended was ended by request. */
export function wordsText(code: string): string {
  if (code === 'api') return 'By request';
  const words = code.replaceAll(/[-_]/g, ' ');
  return words.charAt(0).toUpperCase() + words.slice(1);
}

export function countText(n: number, one: string, many = `${one}s`): string {
  return `${n} ${n === 1 ? one : many}`;
}

const servers: Readonly<Record<string, string>> = { qos: 'Quality of service', oamp: 'Operation and provisioning' };

/** A service server's name for people. */
export function serverText(name: string): string {
  return servers[name] ?? wordsText(name);
}

/** `messages:write` as a person reads it. */
export function scopeText(scope: string): string {
  const [resource = '', may] = scope.split(':');
  return `${may === 'write' ? 'use' : 'see'} ${resource === 'cdrs' ? 'call records' : resource.replaceAll('-', ' ')}`;
}
