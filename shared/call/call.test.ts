import { describe, expect, test } from 'vitest';
import { machine, rig, routed, sdp, target } from '#test/support/call-rig.ts';
import { NEVER } from '../kernel/machine.ts';
import { CALLER } from './call.ts';
import { reasonOf } from './outcome.ts';

describe('a call by relay', () => {
  test('rings, is answered and ends, in this order', () => {
    const call = rig();
    expect(call.feed({ on: 'invite', sdp: sdp() })).toEqual(['route']);
    expect(call.feed(routed(target('B', 'b1', 'b2')))).toEqual([
      'media answer A',
      'media offer B',
      'invite b1',
      'invite b2',
    ]);
    expect(call.feed({ on: 'progress', branch: 'b1', status: 180 })).toEqual(['report B ringing', 'progress 180']);
    expect(call.feed({ on: 'progress', branch: 'b2', status: 180 })).toEqual([]);
    expect(call.feed({ on: 'answered', branch: 'b2', sdp: sdp() })).toEqual([
      'hangup b1 answered_elsewhere',
      'media accept B',
      'connect A B',
      'report B answered',
      'answer',
      'up',
    ]);
    expect(call.feed({ on: 'answered', branch: 'b1', sdp: sdp() })).toEqual([]);
    expect(call.feed({ on: 'ended', party: CALLER, why: 'bye' })).toEqual([
      'hangup b2 hangup',
      'report B ended hangup',
      'report A ended hangup',
      'release B',
      'release A',
      'over true hangup',
    ]);
    expect(machine.due(call.state)).toBe(NEVER);
  });

  test('the caller hears nothing of the answer before it is recorded, or 4 s have passed', () => {
    const call = rig({ record: false });
    call.feed({ on: 'invite', sdp: sdp() });
    call.feed(routed(target('B', 'b1')));
    expect(call.feed({ on: 'answered', branch: 'b1', sdp: sdp() })).not.toContain('answer');
    expect(call.pass(3_999)).toEqual([]);
    expect(call.pass(1)).toEqual(['answer', 'up']);
  });

  test('no phone rings before both media endpoints stand; a caller without a common codec is refused', () => {
    const call = rig({ media: false });
    call.feed({ on: 'invite', sdp: sdp() });
    expect(call.feed(routed(target('B', 'b1')))).toEqual(['media answer A', 'media offer B']);
    expect(call.feed({ on: 'media', op: 2, sdp: sdp() })).toEqual([]);
    expect(call.feed({ on: 'media', op: 1, failed: 488 })).toEqual([
      'reject 488 no_codec',
      'report B ended no_codec',
      'report A ended no_codec',
      'release B',
      'release A',
      'over false no_codec',
    ]);
  });

  test('an endpoint is not released while media works on it', () => {
    const call = rig({ media: false });
    call.feed({ on: 'invite', sdp: sdp() });
    call.feed(routed(target('B', 'b1')));
    call.feed({ on: 'media', op: 1, sdp: sdp() });
    expect(call.feed({ on: 'ended', party: CALLER, why: 'cancel' })).toEqual([
      'report B ended cancelled',
      'report A ended cancelled',
      'release A',
    ]);
    expect(call.feed({ on: 'media', op: 2, sdp: sdp() })).toEqual(['release B', 'over false cancelled']);
  });

  test('an INVITE without offer gets ours in the 2xx, and its ACK the answer', () => {
    const call = rig();
    call.feed({ on: 'invite' });
    expect(call.feed(routed(target('B', 'b1')))).toEqual(['media offer A', 'media offer B', 'invite b1']);
    expect(call.feed({ on: 'progress', branch: 'b1', status: 183, sdp: sdp() })).toEqual([
      'report B ringing',
      'progress 183 sdp',
    ]);
    call.feed({ on: 'answered', branch: 'b1', sdp: sdp() });
    expect(call.feed({ on: 'confirmed', party: CALLER, sdp: sdp() })).toEqual(['media accept A']);
  });

  test('early sound of the first contact goes up once; the answer may then come without SDP', () => {
    const call = rig();
    call.feed({ on: 'invite', sdp: sdp() });
    call.feed(routed(target('B', 'b1')));
    expect(call.feed({ on: 'progress', branch: 'b1', status: 183, sdp: sdp() })).toEqual([
      'report B ringing',
      'media accept B',
      'connect A B',
      'progress 183 sdp',
    ]);
    expect(call.feed({ on: 'answered', branch: 'b1' })).toEqual(['report B answered', 'answer', 'up']);
  });

  test('an answer without SDP and without early sound is none', () => {
    const call = rig();
    call.feed({ on: 'invite', sdp: sdp() });
    call.feed(routed(target('B', 'b1')));
    expect(call.feed({ on: 'answered', branch: 'b1' }).slice(0, 2)).toEqual([
      'reject 488 no_codec',
      'hangup b1 no_codec',
    ]);
  });
});

describe('failures and their best response', () => {
  const table: [string, [string, number][], string][] = [
    [
      'busy beats silence',
      [
        ['b1', 480],
        ['b2', 486],
      ],
      'reject 486 callee_busy',
    ],
    [
      'a lower class beats a higher one',
      [
        ['b1', 503],
        ['b2', 404],
      ],
      'reject 404 callee_unknown',
    ],
    [
      'a redirection is not handed on',
      [
        ['b1', 302],
        ['b2', 302],
      ],
      'reject 480 callee_offline',
    ],
    [
      'a challenge of the callee is not handed on',
      [
        ['b1', 401],
        ['b2', 407],
      ],
      'reject 480 callee_offline',
    ],
    [
      '503 alone is 500',
      [
        ['b1', 503],
        ['b2', 503],
      ],
      'reject 500 server_unavailable',
    ],
    [
      'how to do better comes first',
      [
        ['b1', 486],
        ['b2', 484],
      ],
      'reject 484 callee_unknown',
    ],
  ];
  test.each(table)('%s', (_name, failures, expected) => {
    const call = rig();
    call.feed({ on: 'invite', sdp: sdp() });
    call.feed(routed(target('B', 'b1', 'b2')));
    for (const [branch, status] of failures) call.feed({ on: 'failed', branch, status });
    expect(call.log.find((line) => line.startsWith('reject'))).toBe(expected);
  });

  describe('6xx speaks for one line', () => {
    const group = () => {
      const call = rig();
      call.feed({ on: 'invite', sdp: sdp() });
      call.feed(routed(target('B', 'b1', 'b2'), target('C', 'c1')));
      return call;
    };
    const BY_B = ['hangup b2 callee_declined', 'report B ended callee_declined', 'release B'];

    test('the other phones of that line fall silent, those of other lines ring on', () => {
      const call = group();
      expect(call.feed({ on: 'failed', branch: 'b1', status: 603 })).toEqual(BY_B);
      expect(call.feed({ on: 'failed', branch: 'b2', status: 487 })).toEqual([]);
      expect(call.feed({ on: 'progress', branch: 'c1', status: 180 })).toContain('report C ringing');
      expect(call.feed({ on: 'answered', branch: 'c1', sdp: sdp() })).toContain('answer');
    });

    test.each([486, 603, 404])('nobody else takes it (%i): the caller hears 6xx', (status) => {
      const call = group();
      call.feed({ on: 'failed', branch: 'b1', status: 603 });
      expect(call.feed({ on: 'failed', branch: 'c1', status })[0]).toBe(`report C ended ${reasonOf(status)}`);
      expect(call.log.filter((line) => line.startsWith('reject'))).toEqual([`reject 603 ${reasonOf(status)}`]);
    });

    test('nobody else answers: the caller hears just that', () => {
      const call = group();
      call.feed({ on: 'failed', branch: 'b1', status: 603 });
      expect(call.pass(30_000)[0]).toBe('reject 480 no_answer');
    });

    test('one line alone ends at once', () => {
      const call = rig();
      call.feed({ on: 'invite', sdp: sdp() });
      call.feed(routed(target('B', 'b1', 'b2')));
      expect(call.feed({ on: 'failed', branch: 'b1', status: 603 })).toEqual([
        'hangup b2 callee_declined',
        'report B ended callee_declined',
        'reject 603 callee_declined',
        'report A ended callee_declined',
        'release B',
        'release A',
        'over false callee_declined',
      ]);
    });

    test('it outweighs that another phone of the line has sent the call on, and not what other lines say', () => {
      const sent = group();
      sent.feed({ on: 'failed', branch: 'b1', status: 302, moved: 'sip:x@a.test' });
      sent.feed({ on: 'failed', branch: 'b2', status: 603 });
      expect(sent.feed({ on: 'failed', branch: 'c1', status: 486 })).toContain('reject 603 callee_busy');
      const call = group();
      call.feed({ on: 'failed', branch: 'c1', status: 302, moved: 'sip:x@a.test' });
      expect(call.feed({ on: 'failed', branch: 'b1', status: 603 })).toEqual(['hangup b2 callee_declined', 'reroute']);
    });

    test('also where lines share a leg', () => {
      const call = rig();
      const branches = [
        ['b1', 'B'],
        ['c1', 'C'],
        ['b2', 'B'],
      ].map(([branch = '', callee = '']) => ({
        ...{ branch, to: branch, callee },
      }));
      call.feed({ on: 'invite', sdp: sdp() });
      call.feed(routed({ leg: 'B', branches }));
      expect(call.feed({ on: 'failed', branch: 'b1', status: 603 })).toEqual(['hangup b2 callee_declined']);
      expect(call.feed({ on: 'failed', branch: 'c1', status: 486 })).toContain('reject 603 callee_busy');
    });

    test('its early sound goes, and another line may be heard', () => {
      const call = group();
      expect(call.feed({ on: 'progress', branch: 'b2', status: 183, sdp: sdp() })).toContain('connect A B');
      expect(call.feed({ on: 'failed', branch: 'b1', status: 603 })).toEqual(BY_B);
      expect(call.feed({ on: 'progress', branch: 'c1', status: 183, sdp: sdp() })).toContain('connect A C');
    });
  });

  test('one leg may fail or be closed while another rings', () => {
    const call = rig();
    call.feed({ on: 'invite', sdp: sdp() });
    call.feed(routed(target('B', 'b1'), target('C', 'c1')));
    expect(call.feed({ on: 'failed', branch: 'b1', status: 486 })).toEqual(['report B ended callee_busy', 'release B']);
    expect(call.feed({ on: 'close', leg: 'B', reason: 'api' })).toEqual([]);
    expect(call.feed({ on: 'close', leg: 'C', reason: 'api' })).toContain('over false api');
  });

  test('nobody answers in time', () => {
    const call = rig();
    call.feed({ on: 'invite', sdp: sdp() });
    call.feed(routed(target('B', 'b1')));
    expect(call.pass(29_999)).toEqual([]);
    expect(call.pass(1).slice(0, 2)).toEqual(['reject 480 no_answer', 'hangup b1 no_answer']);
  });

  test('a callee without contacts is offline', () => {
    const call = rig();
    call.feed({ on: 'invite', sdp: sdp() });
    expect(call.feed(routed(target('B')))).toContain('reject 480 callee_offline');
    const none = rig();
    none.feed({ on: 'invite', sdp: sdp() });
    expect(none.feed(routed())).toContain('reject 480 callee_offline');
  });

  test('a caller who gives up while the route is looked for leaves no leg without its report', () => {
    const call = rig();
    call.feed({ on: 'invite', sdp: sdp() });
    expect(call.feed({ on: 'ended', party: CALLER, why: 'cancel' })).toEqual([]);
    expect(call.feed(routed(target('B', 'b1')))).toEqual([
      'report B ended cancelled',
      'report A ended cancelled',
      'over false cancelled',
    ]);
  });

  test('a media server that never answers: 5 s, then the phone that would ring is given up', () => {
    const call = rig({ media: false });
    call.feed({ on: 'invite', sdp: sdp() });
    call.feed(routed(target('B', 'b1')));
    call.feed({ on: 'media', op: 1, sdp: sdp() });
    expect(call.pass(4_999)).toEqual([]);
    expect(call.pass(1)).toEqual([
      'report B ended server_unavailable',
      'reject 500 server_unavailable',
      'report A ended server_unavailable',
      'release B',
      'release A',
      'over false server_unavailable',
    ]);
  });

  test('a route that never comes', () => {
    const call = rig();
    call.feed({ on: 'invite', sdp: sdp() });
    expect(call.pass(6_000)).toEqual(['reject 503 server_unavailable', 'over false server_unavailable']);
  });
});
