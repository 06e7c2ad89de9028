/** What is read when it is first wanted, and kept from then on; a reading that fails is not kept, so that whoever asks next tries again. Pure. */
export class Lazy<T> {
  readonly #read: () => Promise<T>;
  #kept: Promise<T> | undefined;

  constructor(read: () => Promise<T>) {
    this.#read = read;
  }

  /** Rejects as the reading does. */
  get(): Promise<T> {
    if (this.#kept !== undefined) return this.#kept;
    const reading = this.#read();
    this.#kept = reading;
    reading.catch(() => {
      if (this.#kept === reading) this.#kept = undefined;
    });
    return reading;
  }

  /** It is to be read anew. */
  forget(): void {
    this.#kept = undefined;
  }
}
