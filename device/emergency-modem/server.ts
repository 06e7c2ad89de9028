/**
 * The last way to help: a mobile modem on a serial line of the gateway. Towards the edge it is a SIP endpoint on this machine, which
 * rings by dialling and answers when the network does; the call's sound goes over the modem's second serial port.
 */

import { type Call, Endpoint } from '#shared/face/face.ts';
import { NEVER, TICK } from '#shared/kernel/machine.ts';
import type { Address, Timer, World } from '#shared/kernel/world.ts';
import { parseUri } from '#shared/sip/uri.ts';
import type { SerialHandlers, SerialLine } from '../serial/adapter-serialport.ts';
import { type CallEnd, LineCutter } from './at-line.ts';
import { canCall, type ModemInput, type ModemOutput, modemMachine, newModem } from './machine.ts';
import { PcmQueue, writePcm } from './pcm.ts';
import { dialledAs, type ModemReport, reportOf } from './report.ts';

/** The modem's serial lines. */
export interface ModemLines {
  /** AT commands. */
  control(handlers: SerialHandlers): SerialLine;
  /** The call's sound; absent: nobody is heard, and the modem is of no use for talking, but help is called. */
  audio?(handlers: SerialHandlers): SerialLine;
}

export interface EmergencyModem {
  /** Where the edge sends its INVITE, while it could call. */
  way(): (Address & { readonly transport: 'udp' }) | undefined;
  report(): ModemReport;
  stop(): Promise<void>;
}

/** SIP statuses of a call that the modem could not make, or that the network ended. */
const REFUSALS: Readonly<Record<CallEnd, number>> = {
  busy: 486,
  'no-answer': 480,
  'no-carrier': 503,
  refused: 503,
  ended: 480,
  lost: 503,
};

/**
 * Starts the modem's endpoint, on the loopback where this machine has one, else `beside` the edge. Only `caller`, the edge of this
 * gateway, is served. Rejects where no port is free.
 */
export async function startEmergencyModem(
  world: World,
  lines: ModemLines,
  options: { readonly beside: string; readonly caller: () => Address | undefined },
): Promise<EmergencyModem> {
  const modem = new Modem(world, lines, options.caller);
  const family = options.beside.includes(':') ? 6 : 4;
  const loopback = world.net.addresses().find((one) => one.loopback && one.family === family)?.host;
  const host = loopback ?? options.beside;
  const opened = await modem.endpoint.createTransport({ protocol: 'udp', host });
  if (!opened.ok) throw new Error(`the emergency modem: ${opened.fault.text}`);
  modem.start();
  return {
    way() {
      const { local } = opened.value;
      return local === undefined || !canCall(modem.state) ? undefined : { ...local, transport: 'udp' };
    },
    report: () => reportOf(modem.state, modem.hasSound),
    stop: () => modem.stop(),
  };
}

class Modem {
  readonly endpoint: Endpoint;
  readonly state = newModem();
  readonly #world: World;
  readonly #lines: ModemLines;
  readonly #caller: () => Address | undefined;
  readonly #cutter = new LineCutter();
  readonly #heard = new PcmQueue();
  #control: SerialLine | undefined;
  #audio: SerialLine | undefined;
  #call: Call | undefined;
  #timer: Timer | undefined;
  #due = NEVER;
  /** The sound's port is open. */
  hasSound = false;

  constructor(world: World, lines: ModemLines, caller: () => Address | undefined) {
    this.#world = world;
    this.#lines = lines;
    this.#caller = caller;
    this.endpoint = new Endpoint(world);
    this.endpoint.createAccount({ id: 'sip:help@localhost' }).onIncomingCall = (call) => this.#incoming(call);
  }

  start(): void {
    const { log } = this.#world;
    this.#control = this.#lines.control({
      opened: () => this.#step({ on: 'opened' }),
      data: (octets) => {
        for (const text of this.#cutter.feed(octets)) this.#step({ on: 'line', text });
      },
      closed: (why) => {
        log.warn('modem.line-lost', { why });
        this.#cutter.reset();
        this.#step({ on: 'closed' });
      },
    });
    this.#audio = this.#lines.audio?.({
      opened: () => {
        this.hasSound = true;
      },
      data: (octets) => {
        if (this.#call?.state === 'confirmed') this.#heard.put(octets);
      },
      closed: (why) => {
        log.warn('modem.audio-lost', { why });
        this.hasSound = false;
      },
    });
  }

  /** Hangs up, at both ends, and lets go of the lines. */
  async stop(): Promise<void> {
    if (this.state.call !== undefined) {
      this.#step({ on: 'hangup' });
      await this.#control?.write(new TextEncoder().encode('ATH\r')).catch(() => {});
    }
    this.#timer?.cancel();
    await this.endpoint.destroy();
    await this.#audio?.close();
    await this.#control?.close();
  }

  /** The edge calls. Anybody else on this machine or its networks is turned away. */
  #incoming(call: Call): void {
    const caller = this.#caller();
    const own = this.#world.net.addresses().some(({ host }) => host === call.peer.host);
    const number = dialledAs(parseUri(call.called)?.user ?? '');
    if (!own || call.peer.port !== caller?.port || number === undefined) {
      call.hangup(403);
      return;
    }
    if (!canCall(this.state)) {
      call.hangup(this.state.call === undefined ? 503 : 486);
      return;
    }
    this.#world.log.warn('modem.dial', { number });
    this.#call = call;
    call.onState = () => {
      if (call.state === 'disconnected' && this.#call === call) {
        this.#call = undefined;
        this.#step({ on: 'hangup' });
      }
    };
    this.#step({ on: 'dial', number });
  }

  #step(input: ModemInput | typeof TICK): void {
    const { clock } = this.#world;
    const out: ModemOutput[] = [];
    modemMachine.step(this.state, input, clock.mono(), out);
    for (const one of out) this.#carryOut(one);
    const due = modemMachine.due(this.state);
    if (due === this.#due) return;
    this.#timer?.cancel();
    this.#due = due;
    if (due === NEVER) return;
    this.#timer = clock.at(due, () => {
      this.#due = NEVER;
      this.#step(TICK);
    });
  }

  #carryOut(output: ModemOutput): void {
    if (output.do === 'write') {
      // What cannot be written is answered by nobody, and the machine's deadline sees to that.
      this.#control?.write(new TextEncoder().encode(output.text)).catch(() => {});
    } else if (output.do === 'alerting') this.#call?.ring();
    else if (output.do === 'answered') this.#talk();
    else if (output.do === 'over') this.#over(output.why);
    else this.#world.log.info('modem.state', { ...reportOf(this.state, this.hasSound) });
  }

  #talk(): void {
    const call = this.#call;
    if (call === undefined) return;
    this.#heard.clear();
    call.connect({
      send: (frame) => this.#heard.take(frame),
      heard: (frame) => {
        if (this.hasSound) this.#audio?.write(writePcm(frame)).catch(() => {});
      },
    });
    call.answer();
  }

  #over(why: CallEnd): void {
    const call = this.#call;
    this.#call = undefined;
    this.#world.log.warn('modem.over', { why });
    call?.hangup(REFUSALS[why]);
  }
}
