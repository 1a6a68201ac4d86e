/** Options as an instance of a class: every one is an accessor of its prototype, and reads a field of `this` alone. */
export function asInstance<T extends object>(options: T): T {
  class Options {
    readonly #options: T = options;

    static {
      for (const key of Object.keys(options)) {
        Object.defineProperty(this.prototype, key, {
          get(this: Options): unknown {
            return Reflect.get(this.#options, key);
          },
        });
      }
    }
  }
  return new Options() as unknown as T;
}

/** Options whose password is hidden from whoever copies or prints them, as knex does. */
export function withHiddenPassword<T extends object>(options: T): T {
  return Object.defineProperty({ ...options }, 'password', { enumerable: false });
}
