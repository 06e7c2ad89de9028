/** A mobile modem as a gateway sees it: AT commands on one line, a call's sound on another, and a network that answers as it is told. */
import type { ModemLines } from '#device/emergency-modem/server.ts';
import type { Clock, Timer } from '#shared/kernel/world.ts';
import { levelOf } from '#shared/rtp/measure.ts';

/** What becomes of a call: who is called answers, is busy, or no network takes it; or the modem itself has gone quiet. */
export type ModemManner = 'answer' | 'busy' | 'no-carrier' | 'quiet';

/** Milliseconds from dialling to ringing, and to the answer. */
const RINGS = 400;
const ANSWERS = 1_200;
/** Octets of 20 ms. */
const FRAME = 320;

/** The modem itself; how it is wired is its user's matter. */
export class SimModem {
  manner: ModemManner = 'answer';
  /** Commands that came, in order. */
  readonly commands: string[] = [];
  /** The number that was called last. */
  dialled = '';
  readonly #clock: Clock;
  readonly #voice: Uint8Array;
  readonly #heard: number[] = [];
  #say: (text: string) => void = () => {};
  #sound: (octets: Uint8Array) => void = () => {};
  #line = '';
  #stage: 'idle' | 'dialling' | 'alerting' | 'up' = 'idle';
  #timers: Timer[] = [];
  #at = 0;
  #open = false;

  /** `voice`: what is heard from who is called, 8 kHz, over and over. */
  constructor(clock: Clock, voice: Int16Array) {
    this.#clock = clock;
    this.#voice = new Uint8Array(voice.buffer.slice(voice.byteOffset, voice.byteOffset + voice.byteLength));
  }

  /** Where it speaks from now on. */
  wire(say: (text: string) => void, sound: (octets: Uint8Array) => void): void {
    this.#say = say;
    this.#sound = sound;
  }

  get calling(): boolean {
    return this.#stage !== 'idle';
  }

  /** Level of a tone in the last second of what the gateway's side said, dB. */
  level(hertz: number): number {
    return levelOf(Int16Array.from(this.#heard.slice(-8000)), hertz);
  }

  /** What came over the line of commands. */
  type(octets: Uint8Array): void {
    for (const octet of octets) {
      if (octet !== 13) this.#line += String.fromCharCode(octet);
      else {
        this.#command(this.#line.trim());
        this.#line = '';
      }
    }
  }

  /** What came over the line of sound. */
  hear(octets: Uint8Array): void {
    if (this.#stage !== 'up') return;
    const view = new DataView(octets.buffer, octets.byteOffset, octets.byteLength & ~1);
    for (let i = 0; i < view.byteLength; i += 2) this.#heard.push(view.getInt16(i, true));
  }

  /** Who was called hangs up. */
  hangup(): void {
    if (this.#stage === 'idle') return;
    this.#end();
    this.#tell('VOICE CALL: END: 000004', 'NO CARRIER');
  }

  #command(command: string): void {
    if (command === '') return;
    this.commands.push(command);
    if (this.manner === 'quiet') return;
    if (command.startsWith('ATD')) this.#dial(command.slice(3).replace(';', ''));
    else if (command === 'AT+CLCC') this.#list();
    else if (command === 'AT+CHUP' || command === 'ATH') {
      if (this.#stage !== 'idle') this.#end();
      this.#tell('OK');
    } else if (command === 'AT+CPCMREG=1') {
      this.#open = true;
      this.#tell('OK');
    } else if (command === 'AT+CPCMREG=0') {
      this.#open = false;
      this.#tell('OK');
    } else this.#tell(...(ANSWERS_TO.get(command) ?? []), 'OK');
  }

  #dial(number: string): void {
    this.dialled = number;
    if (this.manner !== 'answer') {
      const refusal = this.manner === 'busy' ? 'BUSY' : 'NO CARRIER';
      this.#later(RINGS, () => this.#tell(refusal));
      return;
    }
    this.#stage = 'dialling';
    this.#tell('OK');
    this.#later(RINGS, () => {
      this.#stage = 'alerting';
    });
    this.#later(ANSWERS, () => {
      this.#stage = 'up';
      this.#tell('VOICE CALL: BEGIN');
      this.#speak();
    });
  }

  #list(): void {
    const stat = { idle: '', dialling: '2', alerting: '3', up: '0' }[this.#stage];
    this.#tell(...(stat === '' ? [] : [`+CLCC: 1,0,${stat},0,0,"${this.dialled}",129`]), 'OK');
  }

  /** 20 ms of voice, and again, while the call is up. */
  #speak(): void {
    if (this.#stage !== 'up') return;
    if (this.#open) {
      const frame = Uint8Array.from({ length: FRAME }, (_, i) => this.#voice[(this.#at + i) % this.#voice.length] ?? 0);
      this.#at += FRAME;
      this.#sound(frame);
    }
    this.#later(20, () => this.#speak());
  }

  #later(ms: number, run: () => void): void {
    this.#timers.push(this.#clock.at(this.#clock.mono() + ms, run));
    if (this.#timers.length > 64) this.#timers = this.#timers.slice(-8);
  }

  #end(): void {
    this.#stage = 'idle';
    for (const timer of this.#timers.splice(0)) timer.cancel();
  }

  #tell(...lines: string[]): void {
    this.#say(lines.map((line) => `\r\n${line}\r\n`).join(''));
  }
}

const ANSWERS_TO: ReadonlyMap<string, readonly string[]> = new Map([
  ['AT+CGMI', ['SIMCOM INCORPORATED']],
  ['AT+CPIN?', ['+CPIN: READY']],
  ['AT+CREG?', ['+CREG: 1,1']],
  ['AT+CSQ', ['+CSQ: 20,99']],
]);

/** The modem at the gateway's serial lines of a virtual world. */
export function virtualModem(
  clock: Clock,
  voice: Int16Array,
): { readonly modem: SimModem; readonly lines: ModemLines } {
  const modem = new SimModem(clock, voice);
  const soon = (run: () => void) => clock.at(clock.mono() + 1, run);
  let say: (text: string) => void = () => {};
  let sound: (octets: Uint8Array) => void = () => {};
  modem.wire(
    (text) => soon(() => say(text)),
    (octets) => soon(() => sound(octets)),
  );
  const lines: ModemLines = {
    control: (handlers) => {
      say = (text) => handlers.data(new TextEncoder().encode(text));
      soon(() => handlers.opened());
      return {
        write: async (octets) => void soon(() => modem.type(octets)),
        close: async () => {
          say = () => {};
        },
      };
    },
    audio: (handlers) => {
      sound = (octets) => handlers.data(octets);
      soon(() => handlers.opened());
      return {
        write: async (octets) => void soon(() => modem.hear(octets)),
        close: async () => {
          sound = () => {};
        },
      };
    },
  };
  return { modem, lines };
}
