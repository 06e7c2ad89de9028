import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { TICK } from '#shared/kernel/machine.ts';
import { checkedStep } from '#test/support/checked-step.ts';
import { seed } from '#test/support/seed.ts';
import { LineCutter, MODEM_LINE_LIMIT, readModemLine } from './at-line.ts';
import {
  AGAIN,
  ANSWER,
  canCall,
  DIAL_ANSWER,
  LOOK_AT_CALL,
  LOOK_AT_NETWORK,
  type ModemInput,
  modemMachine,
  newModem,
} from './machine.ts';
import { PCM_WAITING, PcmQueue, writePcm } from './pcm.ts';
import { dialledAs } from './report.ts';

const octets = (text: string) => Uint8Array.from(text, (character) => character.charCodeAt(0));

/** A modem under test: what it was told, and what came of that. */
class Bench {
  readonly state = newModem();
  now = 0;
  readonly written: string[] = [];
  readonly told: string[] = [];

  do(input: ModemInput | typeof TICK): this {
    for (const one of checkedStep(modemMachine, this.state, input, this.now)) {
      if (one.do === 'write') this.written.push(one.text.trim());
      else if (one.do !== 'changed') this.told.push(one.do === 'over' ? `over ${one.why}` : one.do);
    }
    return this;
  }

  says(...lines: string[]): this {
    for (const text of lines) this.do({ on: 'line', text });
    return this;
  }

  /** Lets time pass to the next deadline. */
  wait(): this {
    this.now = modemMachine.due(this.state);
    return this.do(TICK);
  }

  /** Through the whole set-up; `maker` is what AT+CGMI says. */
  ready(maker = 'SIMCOM INCORPORATED'): this {
    this.do({ on: 'opened' });
    for (let i = 0; i < 20 && this.state.at === 'starting'; i++) {
      const last = this.written.at(-1);
      if (last === 'AT+CGMI') this.says(maker);
      if (last === 'AT+CREG?') this.says('+CREG: 1,1');
      if (last === 'AT+CSQ') this.says('+CSQ: 20,99');
      if (last === 'AT+CPIN?') this.says('+CPIN: READY');
      this.says('OK');
    }
    this.written.length = 0;
    return this;
  }
}

describe('lines', () => {
  it.each([
    ['OK', { says: 'ok' }],
    ['+CME ERROR: 30', { says: 'error' }],
    ['NO CARRIER', { says: 'over', why: 'no-carrier' }],
    ['VOICE CALL: BEGIN', { says: 'begun' }],
    ['VOICE CALL: END: 000012', { says: 'over', why: 'ended' }],
    ['+CREG: 1,5', { says: 'registration', is: 'roaming' }],
    ['+CREG: 2', { says: 'registration', is: 'searching' }],
    ['+CREG: 1,"00C3","01A2B3"', { says: 'registration', is: 'home' }],
    ['+CREG: 0,8', { says: 'registration', is: 'emergency' }],
    ['+CREG: 0,77', { says: 'registration', is: 'unknown' }],
    ['+CSQ: 31,99', { says: 'signal', dbm: -51 }],
    ['+CSQ: 99,99', { says: 'signal', dbm: undefined }],
    ['+CLCC: 1,0,3,0,0,"112",129', { says: 'call', outgoing: true, stage: 'alerting', gone: false }],
    ['+CLCC: 1,1,4,0,0', { says: 'call', outgoing: false, stage: 'other', gone: false }],
    ['+CPIN: SIM PIN', { says: 'sim', is: 'sim pin' }],
    ['', undefined],
    ['^BOOT: 1', { says: 'other', text: '^BOOT: 1' }],
  ])('%s', (text, read) => expect(readModemLine(text)).toEqual(read));

  it('are cut the same however they come, and one too long is dropped', () => {
    const cutter = new LineCutter();
    expect(cutter.feed(octets(`\r\nOK\r\n${'x'.repeat(MODEM_LINE_LIMIT + 1)}\r\nBUSY\r\n`))).toEqual(['OK', 'BUSY']);
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 600 }), fc.integer({ min: 1, max: 9 }), (all, cut) => {
        const whole = new LineCutter().feed(all);
        const pieces = new LineCutter();
        const got: string[] = [];
        for (let at = 0; at < all.length; at += cut) got.push(...pieces.feed(all.subarray(at, at + cut)));
        expect(got).toEqual(whole);
      }),
      { seed },
    );
  });
});

describe('a modem', () => {
  it('is set up, one command at a time, and then watched', () => {
    const bench = new Bench().do({ on: 'opened' });
    expect(bench.written).toEqual(['ATZ']);
    bench.says('ATZ', 'OK');
    expect(bench.written).toEqual(['ATZ', 'ATE0']);
    const ready = new Bench().ready();
    expect(ready.state).toMatchObject({ at: 'ready', registration: 'home', signal: -73, sim: 'ready' });
    ready.wait().says('+CREG: 1,3', 'OK', '+CSQ: 5,99', 'OK');
    expect([ready.now, ready.written]).toEqual([LOOK_AT_NETWORK, ['AT+CREG?', 'AT+CSQ']]);
    expect(ready.state).toMatchObject({ registration: 'denied', signal: -103 });
  });

  it('without a SIM is still asked to call', () => {
    const bench = new Bench().do({ on: 'opened' });
    for (let i = 0; i < 12; i++) bench.says(bench.written.at(-1) === 'AT+CPIN?' ? '+CME ERROR: 10' : 'OK');
    expect([bench.state.sim, canCall(bench.state)]).toEqual(['absent', true]);
  });

  it('dials, rings, talks and is hung up', () => {
    const bench = new Bench().ready().do({ on: 'dial', number: '112' });
    expect(bench.written).toEqual(['ATD112;']);
    bench.says('OK').wait().says('+CLCC: 1,0,3,0,0,"112",129', 'OK');
    expect(bench.told).toEqual(['alerting']);
    bench.says('VOICE CALL: BEGIN', 'OK');
    expect(bench.told).toEqual(['alerting', 'answered']);
    bench.do({ on: 'hangup' }).says('OK', 'OK', 'OK');
    expect(bench.written.slice(1)).toEqual(['AT+CLCC', 'AT+CPCMREG=1', 'AT+CHUP', 'ATH', 'AT+CPCMREG=0']);
    expect([bench.told.at(-1), canCall(bench.state)]).toEqual(['over ended', true]);
  });

  it('of another maker takes sound by its own words, before the call', () => {
    const bench = new Bench().ready('Quectel').do({ on: 'dial', number: '112' }).says('OK', 'OK');
    expect(bench.written).toEqual(['AT+QPCMV=1,0', 'ATD112;']);
  });

  it.each([
    ['BUSY', 'over busy'],
    ['NO CARRIER', 'over no-carrier'],
    ['NO ANSWER', 'over no-answer'],
    ['ERROR', 'over refused'],
    ['+CME ERROR: 30', 'over refused'],
  ])('that answers the number with %s: %s', (text, told) => {
    const bench = new Bench().ready().do({ on: 'dial', number: '112' }).says(text);
    expect([bench.told, canCall(bench.state)]).toEqual([[told], true]);
  });

  it.each([
    ['says so', (bench: Bench) => bench.says('VOICE CALL: END: 000007', 'NO CARRIER')],
    ['lists it no longer', (bench: Bench) => bench.says('OK').wait().says('+CLCC: 1,0,0', 'OK').wait().says('OK')],
  ])('whose other side hangs up, and that %s', (_name, happen) => {
    const bench = new Bench().ready().do({ on: 'dial', number: '112' }).says('OK', 'VOICE CALL: BEGIN', 'OK');
    happen(bench);
    expect(bench.told).toEqual(['answered', 'over ended']);
  });

  it('tells of an answer by its list alone', () => {
    const bench = new Bench().ready().do({ on: 'dial', number: '112' }).says('OK').wait();
    expect([bench.now, bench.written.at(-1)]).toEqual([LOOK_AT_CALL, 'AT+CLCC']);
    expect(bench.says('+CLCC: 1,0,0,0,0', 'OK').told).toEqual(['answered']);
  });

  it('dials once: a second call meanwhile is busy', () => {
    const bench = new Bench().ready().do({ on: 'dial', number: '112' }).do({ on: 'dial', number: '112' });
    expect([bench.told, bench.written]).toEqual([['over busy'], ['ATD112;']]);
  });

  it('does what waits for an answer first, then dials, before everything else', () => {
    const bench = new Bench().ready().wait().do({ on: 'dial', number: '911' }).says('OK');
    expect(bench.written).toEqual(['AT+CREG?', 'ATD911;']);
  });

  it('that is hung up while it dials gives that up', () => {
    const bench = new Bench().ready().do({ on: 'dial', number: '112' }).do({ on: 'hangup' });
    expect(bench.written).toEqual(['ATD112;', 'AT+CHUP']);
    expect(bench.says('NO CARRIER', 'OK', 'OK', 'ERROR').told).toEqual(['over ended']);
  });

  it('that falls silent is set up anew, and its call is lost', () => {
    const bench = new Bench().ready().do({ on: 'dial', number: '112' }).says('OK', 'VOICE CALL: BEGIN', 'OK');
    bench.wait().wait().wait().wait();
    expect(bench.now).toBeGreaterThanOrEqual(2 * ANSWER);
    expect([bench.told.at(-1), bench.state.at]).toEqual(['over lost', 'silent']);
    const since = bench.now;
    bench.wait();
    expect([bench.now - since, bench.written.at(-1), bench.state.at]).toEqual([AGAIN, 'ATZ', 'silent']);
    expect(bench.says('OK').state.at).toBe('starting');
  });

  it('that never answers the number is given up', () => {
    const bench = new Bench().ready().do({ on: 'dial', number: '112' });
    while (bench.told.length === 0) bench.wait();
    expect([bench.now, bench.told]).toEqual([DIAL_ANSWER, ['over no-answer']]);
  });

  it('whose line goes, or which starts anew, has lost its call', () => {
    for (const happen of [(bench: Bench) => bench.do({ on: 'closed' }), (bench: Bench) => bench.says('RDY')]) {
      const bench = new Bench().ready().do({ on: 'dial', number: '112' }).says('OK');
      expect([happen(bench).told, canCall(bench.state)]).toEqual([['over lost'], false]);
    }
  });

  it('ends every call exactly once, whatever comes', () => {
    const words = [
      'OK',
      'ERROR',
      'BUSY',
      'NO CARRIER',
      'VOICE CALL: BEGIN',
      'VOICE CALL: END: 1',
      '+CLCC: 1,0,3',
      'RDY',
    ];
    const input = fc.oneof(
      fc.constantFrom(...words).map((text): ModemInput => ({ on: 'line', text })),
      fc.constantFrom<ModemInput>(
        ...([{ on: 'dial', number: '112' }, { on: 'hangup' }, { on: 'closed' }, { on: 'opened' }] as const),
      ),
      fc.constant('wait' as const),
    );
    fc.assert(
      fc.property(fc.array(input, { maxLength: 40 }), (inputs) => {
        const bench = new Bench().ready();
        let dialled = 0;
        for (const one of inputs) {
          if (one === 'wait') {
            if (Number.isFinite(modemMachine.due(bench.state))) bench.wait();
          } else {
            if (one.on === 'dial') dialled++;
            bench.do(one);
          }
        }
        const over = bench.told.filter((one) => one.startsWith('over')).length;
        expect(over).toBe(dialled - (bench.state.call === undefined ? 0 : 1));
      }),
      { seed },
    );
  });
});

describe('sound over the wire', () => {
  it('comes out as it went in, however it is cut', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 700 }), (cut) => {
        const sent = Int16Array.from({ length: 160 * 6 }, (_, i) => (i * 977) % 65_536);
        const wire = writePcm(sent);
        const queue = new PcmQueue();
        const frame = new Int16Array(160);
        const got: number[] = [];
        for (let at = 0; at < wire.length; at += cut) {
          queue.put(wire.subarray(at, at + cut));
          while (queue.take(frame)) got.push(...frame);
        }
        expect(got).toEqual([...sent.subarray(0, got.length)]);
        expect(got.length).toBeGreaterThanOrEqual(160 * 5);
      }),
      { seed },
    );
  });

  it('never lags behind: what is too old gives way', () => {
    const queue = new PcmQueue();
    for (let i = 0; i < PCM_WAITING + 3; i++) queue.put(writePcm(new Int16Array(160).fill(i)));
    const frame = new Int16Array(160);
    const got: number[] = [];
    while (queue.take(frame)) got.push(frame[0] as number);
    expect(got).toEqual([3, 4, 5, 6, 7, 8, 9, 10]);
    expect(queue.take(frame)).toBe(false);
  });
});

it('dials 112 for what a mobile network may not know, and nothing but help', () => {
  expect(['112', '911', '110', '144', '01733', '+4930', '', '12345678'].map(dialledAs)).toEqual([
    '112',
    '911',
    '112',
    '112',
    '112',
    undefined,
    undefined,
    undefined,
  ]);
});
