/** Work in turn: that of one name goes one after another, in the order in which it came; that of several side by side. */
export class Turns {
  readonly #last = new Map<string, Promise<unknown>>();

  /** Begins once all earlier work of that name has ended, well or not. */
  run<T>(name: string, work: () => Promise<T>): Promise<T> {
    const mine = (this.#last.get(name) ?? Promise.resolve()).then(work, work);
    this.#last.set(name, mine);
    const leave = () => {
      if (this.#last.get(name) === mine) this.#last.delete(name);
    };
    mine.then(leave, leave);
    return mine;
  }
}
