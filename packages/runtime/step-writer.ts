import { codeOf, sentenceOf, type AnalysisOutcome, type Signal } from '@trademind/core';
import type { ConcurrentAnalyzer } from './analysis/concurrent-analyzer.ts';
import type { Log } from './log.ts';
import type { SignalLedger } from './screening/signal-ledger.ts';
import type { StateStore } from './state/state-store.ts';

const DISK_RETRY_MS = 1_000;

export interface StepWriterOptions {
  store: Pick<StateStore, 'commit'>;
  ledger: Pick<SignalLedger, 'isEmpty' | 'step' | 'written'>;
  analyzer: Pick<ConcurrentAnalyzer, 'admit' | 'admitted'>;
  log: Log;
  /** A step is on disk: these signals are new. */
  onWritten: (fresh: readonly Signal[]) => void;
}

/**
 * Writes what screening found, one turn of the event loop together: signals, outbox, watermarks and the analysis' queue in one transaction. Only
 * then it is told, so that nothing told is ever lost or told again.
 */
export class StepWriter {
  readonly #options: StepWriterOptions;
  #soon: NodeJS.Immediate | undefined;
  #retry: NodeJS.Timeout | undefined;
  #problem: { code: string; message: string } | null = null;
  #ended = false;

  constructor(options: StepWriterOptions) {
    this.#options = options;
  }

  /** Why nothing can be written; null when all is well. What was found then waits in memory. */
  get problem(): { code: string; message: string } | null {
    return this.#problem;
  }

  /** At the end of this turn. */
  soon(): void {
    this.#soon ??= setImmediate(() => {
      this.#soon = undefined;
      if (!this.#ended) this.write();
    });
  }

  /** Now. */
  write(): void {
    const { store, ledger, analyzer, log, onWritten } = this.#options;
    if (ledger.isEmpty) return;
    let outcomes: AnalysisOutcome[] = [];
    let fresh: Signal[];
    try {
      fresh = store.commit(ledger.step(), (added) => { outcomes = analyzer.admit(added); });
    } catch (error) {
      if (!this.#problem) log('error', 'disk_failing', `What was found cannot be written to disk (${codeOf(error)}); it waits in memory and is tried again. Free some space in the data folder.`);
      this.#problem = { code: 'disk_failing', message: `The data folder cannot be written: ${sentenceOf(error)}` };
      this.#retry ??= setTimeout(() => { this.#retry = undefined; if (!this.#ended) this.soon(); }, DISK_RETRY_MS);
      return;
    }
    this.#problem = null;
    ledger.written(fresh);
    onWritten(fresh);
    analyzer.admitted(outcomes);
  }

  /** Nothing more is written. */
  stop(): void {
    this.#ended = true;
    if (this.#soon) clearImmediate(this.#soon);
    clearTimeout(this.#retry);
  }
}
