import type { CallGate } from './call-gate.ts';

/** Passes through the gate: as many are asked for as there is work that could go, and only once one has begun does the work decide what it takes. */
export class Passes {
  readonly #gate: CallGate;
  readonly #work: () => Promise<boolean>;
  readonly #onEnd: (error?: unknown) => void;
  readonly #all = new Set<Promise<void>>();
  #queued = 0;
  #running = 0;

  /**
   * @param work answers whether it made a call
   * @param onEnd after each pass, with the error if the work failed
   */
  constructor(gate: CallGate, work: () => Promise<boolean>, onEnd: (error?: unknown) => void) {
    this.#gate = gate;
    this.#work = work;
    this.#onEnd = onEnd;
  }

  /** How many more could be of use at once. */
  free(concurrency: number): number {
    return concurrency - this.#running - this.#queued;
  }

  get queued(): number {
    return this.#queued;
  }

  ask(): void {
    let queued = true;
    const dequeue = (): void => {
      if (queued) this.#queued -= 1;
      queued = false;
    };
    this.#queued += 1;
    const pass = this.#gate.pass(async () => {
      dequeue();
      this.#running += 1;
      try {
        return await this.#work();
      } finally {
        this.#running -= 1;
      }
    }).then(() => undefined, (error: unknown) => error).then((error) => {
      dequeue();
      this.#all.delete(pass);
      this.#onEnd(error);
    });
    this.#all.add(pass);
  }

  /** Once all that were asked for have ended. */
  async ended(): Promise<void> {
    await Promise.all(this.#all);
  }
}
