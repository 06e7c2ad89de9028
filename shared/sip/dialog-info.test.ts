import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type DialogView, readDialogInfo, wanted, writeDialogInfo } from './dialog-info.ts';
import { writeSummary } from './message-summary.ts';

describe('bodies of NOTIFY', () => {
  it('say how many messages wait (RFC 3842 section 5)', () => {
    const waiting = (fresh: number) => writeSummary('sip:1@h', [{ class: 'Text-Message', fresh, old: 3 }]);
    expect(waiting(2)).toBe('Messages-Waiting: yes\r\nMessage-Account: sip:1@h\r\nText-Message: 2/3 (0/0)\r\n');
    expect(waiting(0)).toContain('Messages-Waiting: no\r\n');
  });

  it('show dialogs, with nothing of a name that could be taken for markup (RFC 4235 section 4)', () => {
    const view: DialogView = {
      ...{ id: 'd"1', direction: 'recipient', state: 'early', callId: 'c&1', localTag: 'l', remoteTag: 'r' },
      remote: { uri: 'sip:2@h', name: '<script>\u0000 ’Ann’' },
    };
    const text = writeDialogInfo('sip:1@h', 7, [view]);
    expect(text).toContain('version="7" state="full" entity="sip:1@h"');
    expect(text).toContain(
      '<dialog id="d&quot;1" call-id="c&amp;1" local-tag="l" remote-tag="r" direction="recipient"><state>early</state>',
    );
    expect(text).toContain('<identity display="&lt;script&gt; ’Ann’">sip:2@h</identity><target uri="sip:2@h"/>');
    expect(writeDialogInfo('sip:1@h', 0, [])).toContain('entity="sip:1@h"></dialog-info>');
  });

  it.each([
    ['dialog', 'one, two, half'],
    ['dialog;id=7', 'one, two, half'],
    ['dialog;call-id="a@h";to-tag=l1;from-tag=r1', 'one'],
    ['dialog; Call-ID = "a@h"; to-tag=l1', 'one'],
    ['dialog;call-id="a@h";to-tag=r1;from-tag=l1', ''],
    ['dialog;call-id=b;to-tag=l2;from-tag=r2;include-session-description', 'two'],
    ['dialog;call-id=b;from-tag=r2', 'two, half'],
    ['dialog;call-id=gone;to-tag=l1', ''],
  ])('are those that are asked for by "%s" (RFC 4235 section 3.2)', (event, ids) => {
    const views: DialogView[] = [
      { id: 'one', direction: 'recipient', state: 'early', callId: 'a@h', localTag: 'l1', remoteTag: 'r1' },
      { id: 'two', direction: 'initiator', state: 'confirmed', callId: 'b', localTag: 'l2', remoteTag: 'r2' },
      { id: 'half', direction: 'recipient', state: 'trying', callId: 'b', remoteTag: 'r2' },
    ];
    expect(
      wanted(event, views)
        .map(({ id }) => id)
        .join(', '),
    ).toBe(ids);
  });

  it('are read as they were written, and nothing else is', () => {
    const text = fc.string({ unit: fc.constantFrom(...'aZ0<>&"\';=/ €ß'), maxLength: 20 });
    const view = fc.record(
      {
        ...{ id: text, callId: text, localTag: text, remoteTag: text },
        direction: fc.constantFrom('initiator' as const, 'recipient' as const),
        state: fc.constantFrom('trying' as const, 'early' as const, 'confirmed' as const, 'terminated' as const),
        remote: fc.record({ uri: text, name: text }, { requiredKeys: ['uri'] }),
      },
      { requiredKeys: ['id', 'direction', 'state'] },
    );
    fc.assert(
      fc.property(text, fc.array(view, { maxLength: 5 }), (entity, views) => {
        expect(readDialogInfo(writeDialogInfo(entity, 3, views as DialogView[]))).toEqual(views);
      }),
      { numRuns: 200 },
    );
    fc.assert(
      fc.property(fc.string({ maxLength: 200 }), (junk) => void readDialogInfo(`<dialog-info state="full">${junk}`)),
    );
    for (const bad of [
      '',
      '<dialog-info state="partial"></dialog-info>',
      '<dialog-info  state="full"><dialog id="1"><state>up</state></dialog>',
    ])
      expect(readDialogInfo(bad)).toBeUndefined();
    const many = Array.from(
      { length: 101 },
      (_, i) => ({ id: `${i}`, direction: 'initiator', state: 'early' }) as const,
    );
    expect(readDialogInfo(writeDialogInfo('e', 0, many))).toBeUndefined();
    expect(readDialogInfo(writeDialogInfo('e', 0, many.slice(1)))).toHaveLength(100);
  });
});
