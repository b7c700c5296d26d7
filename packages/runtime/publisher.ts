import type { AnalysisOutcome, LogEntry, MachineStatus, MarketRow, Signal } from '@trademind/core';
import type { FeedEvent } from './feed/source.ts';

/** Status and market rows are told at most this often; signals, log entries and a new phase at once. */
const GAP_MS = 500;

export interface PublisherOptions {
  status: () => MachineStatus;
  /** Rows that changed since the last call. */
  changedRows: () => MarketRow[];
  marketTime: () => number;
}

/** Tells whoever listens what changed on the machine, no faster than a person can read. */
export class Publisher {
  readonly #options: PublisherOptions;
  readonly #listeners = new Set<(event: FeedEvent) => void>();
  readonly #timer: NodeJS.Timeout;
  #statusChanged = false;
  #statusAt = -Infinity;

  constructor(options: PublisherOptions) {
    this.#options = options;
    this.#timer = setInterval(() => this.#tick(), GAP_MS);
  }

  subscribe(listener: (event: FeedEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => { this.#listeners.delete(listener); };
  }

  signal(signal: Signal): void {
    this.#tell({ type: 'signal', data: signal });
  }

  analysis(outcome: AnalysisOutcome): void {
    this.#tell({ type: 'analysis', data: outcome });
  }

  log(entry: LogEntry): void {
    this.#tell({ type: 'log', data: entry });
  }

  /** The status changed: it is told now if it was not just told, else with the next tick. */
  statusChanged(): void {
    this.#statusChanged = true;
    if (performance.now() - this.#statusAt >= GAP_MS) this.#tellStatus();
  }

  /** The phase changed: this is told at once, whatever was just told. */
  phaseChanged(): void {
    this.#tellStatus();
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#listeners.clear();
  }

  #tick(): void {
    if (this.#statusChanged && performance.now() - this.#statusAt >= GAP_MS - 10) this.#tellStatus();
    if (this.#listeners.size === 0) return;
    const markets = this.#options.changedRows();
    if (markets.length > 0) this.#tell({ type: 'metrics', data: { marketTime: this.#options.marketTime(), markets } });
  }

  #tellStatus(): void {
    this.#statusChanged = false;
    this.#statusAt = performance.now();
    if (this.#listeners.size > 0) this.#tell({ type: 'status', data: this.#options.status() });
  }

  #tell(event: FeedEvent): void {
    for (const listener of this.#listeners) listener(event);
  }
}
