import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { authorize, type DigestAlgorithm, digestHa1 } from '../sip/digest.ts';
import { newRequest, type SipMessage } from '../sip/message.ts';
import { GUESS_LIMIT, GUESS_WINDOW, SOURCE_LIMIT } from './guesses.ts';
import { Door, isOwn, names } from './register.ts';

const REALM = 'home.test';
const hash = (name: DigestAlgorithm, text: string) =>
  createHash(name === 'MD5' ? 'md5' : 'sha256')
    .update(text, 'latin1')
    .digest('hex');
const ha1 = (user: string, password: string) => ({
  md5: digestHa1('MD5', user, REALM, password, hash),
  sha256: digestHa1('SHA-256', user, REALM, password, hash),
});
const account = { username: 'kitchen', number: '+15550100001', ha1: ha1('kitchen', 'right') };

function newDoor(secret = 1, isOurs?: (host: string) => boolean, hashed = hash) {
  let salt = 0;
  return new Door({
    realm: REALM,
    secret: new Uint8Array(32).fill(secret),
    hash: hashed,
    salt: () => Uint8Array.of(++salt),
    ...(isOurs && { isOurs }),
  });
}

const register = (from = 'kitchen', to = from) =>
  newRequest('REGISTER', `sip:${REALM}`, [
    ['From', `<sip:${from}@${REALM}>;tag=1`],
    ['To', `<sip:${to}@${REALM}>`],
  ]);

/** Answers a challenge as a phone does. */
function signed(
  door: Door,
  password: string,
  more: { at?: number; uri?: string; user?: string; nc?: number; challenges?: readonly string[] } = {},
): SipMessage {
  const message = register();
  const first = more.challenges ?? challengesOf(door.judge(message, undefined, undefined, 'x', more.at ?? 0));
  const user = more.user ?? 'kitchen';
  const value = authorize(first, {
    method: 'REGISTER',
    uri: more.uri ?? message.uri,
    credentials: { username: user, realm: REALM, ha1: ha1(user, password) },
    cnonce: 'c',
    nc: more.nc ?? 1,
    hash,
  });
  message.add('Authorization', value ?? '');
  return message;
}

const challengesOf = (verdict: ReturnType<Door['judge']>) => (verdict.ok ? [] : verdict.challenges);
const judge = (door: Door, message: SipMessage, at = 0, source = '10.0.0.9', known = true) =>
  door.judge(message, door.claimed(message), known ? account : undefined, source, at);

describe('the door', () => {
  test('lets in who knows the password, once per count', () => {
    const door = newDoor();
    const message = signed(door, 'right');
    expect(judge(door, message)).toEqual({ ok: true });
    expect(judge(door, message)).toMatchObject({ ok: false, status: 401 });
  });

  test('a clock that is set back shuts nobody out: neither for a ban of before, nor for nonces that were forgotten', () => {
    const day = 86_400_000;
    const [banned, busy] = [newDoor(), newDoor()];
    for (let i = 0; i <= GUESS_LIMIT; i++) judge(banned, signed(banned, 'wrong', { at: day }), day);
    expect(judge(banned, register(), day)).toMatchObject({ status: 401 });
    expect(judge(banned, signed(newDoor(), 'right', { at: 0 }), 0)).toMatchObject({ status: 403 });
    expect(judge(banned, signed(banned, 'right', { at: 61_000 }), 61_000)).toEqual({ ok: true });
    for (let i = 0; i <= 10_000; i++) judge(busy, signed(busy, 'right', { at: day + i }), day + i);
    expect(judge(busy, register(), 0)).toMatchObject({ status: 401 });
    expect(judge(busy, signed(busy, 'right', { at: 1_000 }), 1_000)).toEqual({ ok: true });
  });

  test('knows a nonce by its signature once it has made ten thousand others, and never one that is not its own', () => {
    const door = newDoor();
    const [early, late] = [signed(door, 'right'), signed(door, 'right')];
    for (let i = 0; i < 10_000; i++) door.judge(register(), undefined, undefined, 'x', 0);
    expect(judge(door, early)).toEqual({ ok: true });
    const foreign = signed(newDoor(), 'right', {
      challenges: [`Digest realm="${REALM}", nonce="${'0'.repeat(60)}", algorithm=MD5, qop="auth"`],
    });
    expect(judge(door, foreign)).toMatchObject({ ok: false, status: 401 });
    expect(challengesOf(judge(door, late, 300_001)).join()).toContain('stale=true');
  });

  test('answers an unknown user and a wrong password alike', () => {
    const door = newDoor();
    const wrong = judge(door, signed(door, 'wrong'));
    const unknown = judge(door, signed(door, 'right'), 0, '10.0.0.9', false);
    const shape = (verdict: typeof wrong) => challengesOf(verdict).map((text) => text.replace(/nonce="[^"]*"/, ''));
    expect(wrong.ok || unknown.ok).toBe(false);
    expect(shape(wrong)).toEqual(shape(unknown));
    expect(shape(wrong).join()).not.toContain('stale');
  });

  test('does the same work for an unknown user as for a known one, so that time tells nothing', () => {
    const work = (known: boolean): number => {
      let count = 0;
      const counting = (name: DigestAlgorithm, text: string) => {
        count++;
        return hash(name, text);
      };
      const door = newDoor(1, undefined, counting);
      const message = signed(door, 'wrong');
      count = 0;
      judge(door, message, 0, '10.0.0.9', known);
      return count;
    };
    expect(work(true)).toBeGreaterThan(0);
    expect(work(false)).toBe(work(true));
  });

  test('is not opened for nobody by the digest that nobody has', () => {
    const door = newDoor();
    const message = register();
    const nobody = { md5: '0'.repeat(32), sha256: '0'.repeat(64) };
    const value = authorize(challengesOf(door.judge(message, undefined, undefined, 'x', 0)), {
      ...{ method: 'REGISTER', uri: message.uri, cnonce: 'c', nc: 1, hash },
      credentials: { username: 'nobody', realm: REALM, ha1: nobody },
    });
    message.add('Authorization', value ?? '');
    expect(judge(door, message, 0, '10.0.0.9', false)).toMatchObject({ ok: false, status: 401 });
  });

  test('tells who has the password but an old nonce, or one of an earlier life, to try again', () => {
    const door = newDoor();
    const old = signed(door, 'right');
    expect(challengesOf(judge(door, old, 400_000)).join()).toContain('stale=true');
    expect(challengesOf(judge(newDoor(2), old)).join()).toContain('stale=true');
  });

  test('offers MD5 alone in the clear, and SHA-256 before it over TLS', () => {
    const order = (secure: boolean) =>
      challengesOf(newDoor().judge(register(), undefined, undefined, 'x', 0, secure)).map(
        (text) => /algorithm=([^,]+)/.exec(text)?.[1],
      );
    expect(order(false)).toEqual(['MD5']);
    expect(order(true)).toEqual(['SHA-256', 'MD5']);
  });

  test('takes a signature over its own address, and over nobody else’s', () => {
    const ours = newDoor(1, (host) => host === '10.0.0.1');
    expect(judge(ours, signed(ours, 'right', { uri: 'sip:10.0.0.1:5060' })).ok).toBe(true);
    expect(judge(ours, signed(ours, 'right', { uri: 'sip:10.0.0.2:5060' })).ok).toBe(false);
    expect(judge(ours, signed(ours, 'right', { uri: 'sip:other@10.0.0.1' })).ok).toBe(false);
    const none = newDoor();
    expect(judge(none, signed(none, 'right', { uri: 'sip:10.0.0.1:5060' })).ok).toBe(false);
  });

  test('hears only credentials of its realm', () => {
    const door = newDoor();
    const message = register();
    message.add('Authorization', 'Digest username="kitchen", realm="other", nonce="1", uri="sip:x", response="0"');
    message.add('Authorization', 'Basic abc');
    expect(door.claimed(message)).toBeUndefined();
    expect(door.claimed(signed(door, 'x'))?.username).toBe('kitchen');
  });

  test('shuts out who guesses, longer each time, and nobody else', () => {
    const door = newDoor();
    for (let i = 1; i < GUESS_LIMIT; i++) expect(judge(door, signed(door, 'wrong'))).toMatchObject({ status: 401 });
    expect(judge(door, signed(door, 'right')).ok).toBe(true);
    judge(door, signed(door, 'wrong'));
    expect(judge(door, signed(door, 'right'))).toMatchObject({ status: 403 });
    expect(judge(door, signed(door, 'right'), 0, '10.0.0.8').ok).toBe(true);
    expect(judge(door, signed(door, 'right', { at: 59_999 }), 59_999)).toMatchObject({ status: 403 });
    expect(judge(door, signed(door, 'right', { at: 60_001 }), 60_001).ok).toBe(true);
    for (let i = 0; i < GUESS_LIMIT; i++) judge(door, signed(door, 'wrong', { at: 70_000 }), 70_000);
    expect(judge(door, signed(door, 'right', { at: 140_000 }), 140_000)).toMatchObject({ status: 403 });
    expect(judge(door, signed(door, 'right', { at: 190_001 }), 190_001).ok).toBe(true);
  });

  test('forgets single mistakes after a minute', () => {
    const door = newDoor();
    for (let i = 0; i < 3 * GUESS_LIMIT; i++) {
      const at = i * (GUESS_WINDOW / (GUESS_LIMIT - 1) + 1);
      expect(judge(door, signed(door, 'wrong', { at }), at)).toMatchObject({ status: 401 });
    }
  });

  test('remembers a bounded number of guessers; the oldest is forgotten', () => {
    const door = newDoor();
    const wrong = signed(door, 'wrong');
    for (let i = 0; i < GUESS_LIMIT; i++) judge(door, wrong, 0, 'first');
    expect(judge(door, wrong, 0, 'first')).toMatchObject({ status: 403 });
    for (let i = 0; i < SOURCE_LIMIT; i++) judge(door, wrong, 0, `s${i}`);
    expect(judge(door, wrong, 0, 'first')).toMatchObject({ status: 401 });
  });
});

describe('whose address it is', () => {
  test.each([
    ['sip:kitchen@home.test', true],
    ['sip:+15550100001@home.test', true],
    ['sip:5550100001@anywhere', true],
    ['tel:+1-555-010-0001', true],
    ['sip:Kitchen@home.test', false],
    ['sip:+15550100002@home.test', false],
    ['sip:home.test', false],
    ['', false],
  ])('%s', (uri, expected) => {
    expect(names(uri, account)).toBe(expected);
  });

  test('a registration is for the signer alone', () => {
    expect(isOwn(register(), account)).toBe(true);
    expect(isOwn(register('kitchen', 'garage'), account)).toBe(false);
    expect(isOwn(register('garage', 'kitchen'), account)).toBe(false);
  });
});
