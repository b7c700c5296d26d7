import { codeOf, sentenceOf } from '@trademind/core';
import type { Log } from '../log.ts';
import type { DatabaseFile } from '../state/database-file.ts';

export const DISK_RETRY_MS = 1_000;
export const DISK_FAILING = Symbol('disk failing');

/** Reads and writes of work that must go on when the disk is full: a failure is said once, is a problem until a write is through, and keeps others from trying for a while. */
export class DiskGuard {
  readonly #file: DatabaseFile;
  readonly #log: Log;
  readonly #now: () => number;
  #problem: string | undefined;
  #retryAt = -Infinity;

  /** @param now ms that never jump */
  constructor(file: DatabaseFile, log: Log, now: () => number) {
    this.#file = file;
    this.#log = log;
    this.#now = now;
  }

  /** What is wrong, in words. */
  get problem(): string | undefined {
    return this.#problem;
  }

  /** Whether it is worth while to try a write. */
  get usable(): boolean {
    return this.#now() >= this.#retryAt;
  }

  /** All of the work, or nothing and DISK_FAILING; an error that is not the file's is thrown on. `writes`: whether it surely wrote something, so that success says that the disk is well. */
  transaction<T>(work: () => T, writes: boolean): T | typeof DISK_FAILING {
    return this.#attempt(() => this.#file.transaction(work), writes);
  }

  /** What was read, or DISK_FAILING. */
  read<T>(work: () => T): T | typeof DISK_FAILING {
    return this.#attempt(work, false);
  }

  #attempt<T>(work: () => T, writes: boolean): T | typeof DISK_FAILING {
    try {
      const result = work();
      if (writes) this.#problem = undefined;
      return result;
    } catch (error) {
      if (!/^ERR_(SQLITE|INVALID_STATE)/.test(codeOf(error))) throw error;
      if (this.#problem === undefined) this.#log('error', 'disk_failing', `The analysis cannot use its file (${codeOf(error)}); it goes on when it can. Free some space in the data folder.`);
      this.#problem = sentenceOf(error);
      this.#retryAt = this.#now() + DISK_RETRY_MS;
      return DISK_FAILING;
    }
  }
}
