/** Where the requests of a dialog go, whatever the other side says of itself (RFC 3261 section 12.1). */
import { describe, expect, it } from 'vitest';
import { dialogOfInvite, dialogOfResponse, dialogRequest, refreshTarget } from './dialog.ts';
import { newRequest, newResponse } from './message.ts';
import { validate } from './validate.ts';

const invite = (contact: string | undefined, from = '<sip:a@a.example>') =>
  newRequest('INVITE', 'sip:b@b.example', [
    ['Via', 'SIP/2.0/UDP [2001:db8::9]:5070;branch=z9hG4bK1'],
    ['From', `${from};tag=1`],
    ['To', '<sip:b@b.example>'],
    ['Call-ID', 'x@y'],
    ['CSeq', '1 INVITE'],
    ...(contact === undefined ? [] : [['Contact', contact] as const]),
  ]);
const seed = { callId: 'x@y', localTag: '1', local: '<sip:a@a.example>;tag=1', uri: 'sip:b@b.example' };

const TARGETS: readonly [contact: string | undefined, target: string | undefined][] = [
  ['<sip:a@192.0.2.1:5062;ob>', 'sip:a@192.0.2.1:5062;ob'],
  ['<sips:a@192.0.2.1>', 'sips:a@192.0.2.1'],
  ['<sip:a@192.0.2.1?Route=%3Csip:evil%3E>', 'sip:a@192.0.2.1'],
  ['<sip:a@192.0.2.1;x=y?To=z>;q=1', 'sip:a@192.0.2.1;x=y'],
  ['<sip:who?@192.0.2.1?To=a@b>', 'sip:who?@192.0.2.1'],
  ['<mailto:a@b>', undefined],
  ['<http://a.example/>', undefined],
  [undefined, undefined],
];

describe('the remote target', () => {
  it.each(TARGETS)('of Contact %s is %s', (contact, target) => {
    const asked = dialogOfInvite(invite(contact), 'tag');
    expect(asked.remoteTarget).toBe(target ?? 'sip:a@a.example');
    const answered = dialogOfResponse(
      seed,
      newResponse(invite(contact), 200, 'OK', contact ? [['Contact', contact]] : []),
    );
    expect(answered.remoteTarget).toBe(target ?? seed.uri);
    refreshTarget(answered, invite(contact));
    expect(answered.remoteTarget).toBe(target ?? seed.uri);
    for (const dialog of [asked, answered]) {
      const bye = dialogRequest(dialog, 'BYE', [['Via', 'SIP/2.0/UDP h;branch=z9hG4bK2']]);
      expect(validate(bye)).toBeUndefined();
    }
  });

  it('of a caller that nowhere names a SIP URI is where its Via says it is', () => {
    expect(dialogOfInvite(invite(undefined, '<mailto:a@b>'), 'tag').remoteTarget).toBe('sip:[2001:db8::9]:5070');
  });
});
