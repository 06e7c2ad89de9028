/**
 * One guest in QuickJS. Every guest has an instance and a memory of its own, since the library's own memory limit does not limit
 * (quickjs-emscripten issue 255): an import with a maximum does. The WebAssembly module is compiled once, when this file is loaded,
 * and instances are made in place, so that a start waits for no thread.
 */
import type { EmscriptenModuleLoader, QuickJSEmscriptenModule } from '@jitl/quickjs-ffi-types';
import emscripten from '@jitl/quickjs-wasmfile-release-sync/emscripten-module';
import { QuickJSFFI as Ffi } from '@jitl/quickjs-wasmfile-release-sync/ffi';
import {
  type QuickJSContext,
  type QuickJSHandle,
  type QuickJSRuntime,
  QuickJSWASMModule,
} from 'quickjs-emscripten-core';
import { packageFile } from '#shared/host/spawn.ts';
import type { Meter } from './meter.ts';
import {
  type GuestEnd,
  type GuestSpec,
  MEMORY_PAGES,
  MESSAGE_LIMIT,
  MESSAGES_PER_TURN,
  STACK_LIMIT,
  START_LIMIT,
  TURN_LIMIT,
} from './sandbox.ts';
import { type Instance, WebAssembly } from './web-assembly.ts';

const load = emscripten as unknown as EmscriptenModuleLoader<QuickJSEmscriptenModule>;
const wasm = new WebAssembly.Module(packageFile('quickjs.wasm'));

/** Jobs of a guest's queue that run before the meter is asked again. */
const JOBS_AT_ONCE = 64;

/** How a turn went. */
export type Turn =
  | { readonly ok: true; readonly ms: number; readonly error?: string }
  | { readonly ok: false; readonly why: GuestEnd; readonly detail: string };

/** A guest. After a turn that is not ok it is gone. */
export class Cell {
  readonly #meter: Meter;
  readonly #say: (text: string) => void;
  readonly #runtime: QuickJSRuntime;
  readonly #context: QuickJSContext;
  readonly #bridge: QuickJSHandle;
  #said = 0;
  #interrupted = false;

  private constructor(module: QuickJSWASMModule, meter: Meter, say: (text: string) => void) {
    this.#meter = meter;
    this.#say = say;
    this.#runtime = module.newRuntime();
    this.#runtime.setMaxStackSize(STACK_LIMIT);
    this.#runtime.setInterruptHandler(() => {
      this.#interrupted ||= meter.spent();
      return this.#interrupted;
    });
    this.#context = this.#runtime.newContext();
    this.#bridge = this.#context.newObject();
  }

  /** An empty guest; `say` gets what it sends. */
  static async open(meter: Meter, say: (text: string) => void): Promise<Cell> {
    const memory = new WebAssembly.Memory({ initial: MEMORY_PAGES, maximum: MEMORY_PAGES });
    const module = await load({
      wasmMemory: memory,
      instantiateWasm(imports: object, done: (instance: Instance) => void) {
        const instance = new WebAssembly.Instance(wasm, imports);
        done(instance);
        return instance.exports;
      },
    } as unknown as Parameters<typeof load>[0]);
    module.type = 'sync';
    return new Cell(new QuickJSWASMModule(module, new Ffi(module)), meter, say);
  }

  /** Runs the bundle. What it throws ends it. */
  start({ bundle, boot }: GuestSpec): Turn {
    const context = this.#context;
    const send = context.newFunction('send', (text) => this.#take(text));
    context.setProp(this.#bridge, 'send', send);
    send.dispose();
    const facts = context.newString(boot);
    context.setProp(this.#bridge, 'boot', facts);
    facts.dispose();
    context.setProp(context.global, 'hearthline', this.#bridge);
    const turn = this.#turn(START_LIMIT, () => {
      const result = context.evalCode(bundle, 'bundle.js', { type: 'global' });
      if (result.error !== undefined) return this.#described(result.error);
      result.value.dispose();
      return undefined;
    });
    return turn.ok && turn.error !== undefined ? { ok: false, why: 'start', detail: turn.error } : turn;
  }

  /** Gives the guest's `hearthline.take` a text. */
  deliver(text: string): Turn {
    const context = this.#context;
    return this.#turn(TURN_LIMIT, () => {
      const take = context.getProp(this.#bridge, 'take');
      if (context.typeof(take) !== 'function') {
        take.dispose();
        return 'it takes no messages';
      }
      const argument = context.newString(text);
      const result = context.callFunction(take, context.undefined, argument);
      argument.dispose();
      take.dispose();
      if (result.error !== undefined) return this.#described(result.error);
      result.value.dispose();
      return undefined;
    });
  }

  /** A guest's text goes out if it is one and short enough; its length is asked before it is copied. */
  #take(text: QuickJSHandle | undefined): { readonly error: QuickJSHandle } | undefined {
    const context = this.#context;
    const refuse = (why: string) => ({ error: context.newError(why) });
    if (text === undefined || context.typeof(text) !== 'string') return refuse('a message is a string');
    if (++this.#said > MESSAGES_PER_TURN) return refuse(`at most ${MESSAGES_PER_TURN} messages in one turn`);
    const length = context.getProp(text, 'length');
    const characters = context.getNumber(length);
    length.dispose();
    if (!(characters <= MESSAGE_LIMIT)) return refuse(`a message has at most ${MESSAGE_LIMIT} characters`);
    this.#say(context.getString(text));
    return undefined;
  }

  /** Runs code of the guest and then its queue of jobs, within one allowance. */
  #turn(limit: number, run: () => string | undefined): Turn {
    this.#said = 0;
    this.#interrupted = false;
    this.#meter.begin(limit);
    try {
      let error = run();
      while (!this.#interrupted && this.#runtime.hasPendingJob()) {
        const jobs = this.#runtime.executePendingJobs(JOBS_AT_ONCE);
        if (jobs.error !== undefined) error ??= this.#described(jobs.error);
        for (let i = 0; i < JOBS_AT_ONCE; i++) this.#meter.job();
        this.#interrupted ||= this.#meter.spent();
      }
      if (this.#interrupted)
        return { ok: false, why: 'deadline', detail: 'a turn took more than its allowance of CPU' };
      return { ok: true, ms: this.#meter.used(), ...(error === undefined ? {} : { error }) };
    } catch (error) {
      // The instance itself broke (memory, native stack): nothing of it may be used again.
      return { ok: false, why: 'memory', detail: String(error).slice(0, 200) };
    }
  }

  /** Words of what the guest threw, never long. Reading it may run the guest's getters, within the same turn. */
  #described(thrown: QuickJSHandle): string {
    const context = this.#context;
    if (this.#interrupted) {
      thrown.dispose();
      return 'interrupted';
    }
    const part = (name: string) => {
      const value = context.getProp(thrown, name);
      const text = context.typeof(value) === 'string' ? context.getString(value).slice(0, 400) : '';
      value.dispose();
      return text;
    };
    const text =
      context.typeof(thrown) === 'object' ? `${part('name')}: ${part('message')}` : 'something that is no Error';
    thrown.dispose();
    return text;
  }
}
