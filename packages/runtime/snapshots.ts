import { codeOf, sentenceOf } from '@trademind/core';
import type { Log } from './log.ts';
import type { ParallelScreener } from './screening/parallel-screener.ts';
import { SnapshotFile } from './state/snapshot-file.ts';

/** What was computed before the last stop need not be computed, nor its candles be fetched, again. */
export class Snapshots {
  readonly #file: SnapshotFile;
  readonly #screener: Pick<ParallelScreener, 'restore' | 'snapshot' | 'intervals'>;
  readonly #log: Log;

  constructor(options: { dataDir: string; screener: Pick<ParallelScreener, 'restore' | 'snapshot' | 'intervals'>; log: Log }) {
    this.#file = new SnapshotFile(options.dataDir);
    this.#screener = options.screener;
    this.#log = options.log;
  }

  /** Answers what was restored, in words; undefined when nothing was. */
  async restore(): Promise<string | undefined> {
    try {
      const bytes = await this.#file.read();
      if (bytes === undefined) return undefined;
      this.#screener.restore(bytes);
      return `The state of ${this.#screener.intervals().length === 0 ? 'no trader' : 'the traders'} as of the last snapshot (${(bytes.length / 1e6).toFixed(1)} MB) is there`;
    } catch (error) {
      this.#log('warn', codeOf(error), `The snapshot is left aside: ${sentenceOf(error)}`);
      await this.#file.remove().catch(() => undefined);
      return undefined;
    }
  }

  async save(): Promise<void> {
    try {
      await this.#file.write(await this.#screener.snapshot());
    } catch (error) {
      this.#log('warn', 'snapshot_unwritten', `The snapshot could not be written (${codeOf(error)}); the next start computes more anew. Free some space in the data folder.`);
    }
  }
}
