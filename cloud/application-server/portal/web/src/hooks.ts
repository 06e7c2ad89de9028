import { useCallback, useEffect, useRef, useState } from 'preact/hooks';
import { listen, type Reply, type Trouble } from './api.ts';

export interface Loaded<T> {
  readonly value: T | undefined;
  readonly trouble: Trouble | undefined;
  reload(): void;
}

/** Milliseconds after which a page asks again for what failed in a way that may pass. */
const AGAIN = 5_000;

/** Trouble of a page that goes on by itself. */
const passing = (trouble: Trouble): Trouble =>
  trouble.code === 'unreachable'
    ? { ...trouble, next: 'Check this device’s network; the page tries again by itself.' }
    : trouble;

/**
 * Loads a value, again whenever `name` changes, every `every` ms while the page is seen, and after a failure that may pass. A failed
 * repetition keeps the old value. A page that nobody sees asks for nothing, and does so once it is seen.
 */
export function useLoad<T>(name: string, load: () => Promise<Reply<T>>, every?: number): Loaded<T> {
  const [state, setState] = useState<{ name: string; value?: T; trouble?: Trouble }>({ name });
  const [turn, setTurn] = useState(0);
  const latest = useRef(load);
  latest.current = load;
  useEffect(() => {
    let live = true;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const run = async () => {
      if (document.hidden) return document.addEventListener('visibilitychange', run, { once: true });
      const reply = await latest.current();
      if (!live) return;
      if (reply.ok) setState({ name, value: reply.value });
      else setState((old) => ({ ...(old.name === name ? old : { name }), trouble: passing(reply.fault) }));
      const lasting = reply.ok || reply.fault.retry === undefined || reply.fault.retry === 'never';
      const wait = every ?? (lasting ? undefined : AGAIN);
      if (wait !== undefined) timer = setTimeout(run, wait);
    };
    void run();
    return () => {
      live = false;
      clearTimeout(timer);
      document.removeEventListener('visibilitychange', run);
    };
  }, [name, every, turn]);
  const reload = useCallback(() => setTurn((n) => n + 1), []);
  const current = state.name === name ? state : undefined;
  return { value: current?.value, trouble: current?.trouble, reload };
}

/** Runs `changed` whenever an event of one of these types happens; several at once make one run. */
export function useEvents(types: string, changed: () => void): void {
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const soon = () => {
      timer ??= setTimeout(() => {
        timer = undefined;
        changed();
      }, 150);
    };
    const stop = listen(types.split(' '), soon);
    return () => {
      stop();
      clearTimeout(timer);
    };
  }, [types, changed]);
}

export interface Action {
  readonly busy: boolean;
  readonly trouble: Trouble | undefined;
  /** Runs one thing at a time and keeps its trouble for the page; undefined where it failed. */
  run<T>(work: () => Promise<Reply<T>>): Promise<T | undefined>;
}

export function useAction(): Action {
  const [state, setState] = useState<{ busy: boolean; trouble?: Trouble }>({ busy: false });
  const run = useCallback(async <T>(work: () => Promise<Reply<T>>) => {
    setState({ busy: true });
    const reply = await work();
    setState(reply.ok ? { busy: false } : { busy: false, trouble: reply.fault });
    return reply.ok ? reply.value : undefined;
  }, []);
  return { busy: state.busy, trouble: state.trouble, run };
}
