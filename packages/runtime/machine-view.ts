import type { AnalysisOutcome, Candle, Interval, LogEntry, MachineStatus, MarketRow, Signal } from '@trademind/core';
import type { ConcurrentAnalyzer } from './analysis/concurrent-analyzer.ts';
import type { FeedEvent, FeedSource } from './feed/source.ts';
import type { HealthMonitor } from './health/health-monitor.ts';
import type { LogRing } from './log.ts';
import type { MachineReport } from './machine-report.ts';
import type { CandleMark } from './market/candle-marks.ts';
import { withUniverse } from './market/explain-universe.ts';
import type { MarketLink } from './market/market-link.ts';
import type { MarketTable } from './market/market-table.ts';
import type { Publisher } from './publisher.ts';
import type { RecentSignals } from './recent-signals.ts';
import type { ParallelScreener } from './screening/parallel-screener.ts';
import type { SignalLedger } from './screening/signal-ledger.ts';
import type { TraderSet } from './screening/trader-set.ts';
import type { StoredTrader } from './state/state-store.ts';
import type { WorkPhase } from './work-phase.ts';

export interface MachineViewOptions {
  machineId: string;
  userId: string;
  bootId: string;
  report: MachineReport;
  phase: Pick<WorkPhase, 'current'>;
  market: Pick<MarketLink, 'problems' | 'marks' | 'universe'>;
  table: Pick<MarketTable, 'rows'>;
  screener: Pick<ParallelScreener, 'candles' | 'explain'>;
  traders: Pick<TraderSet, 'running'>;
  ledger: Pick<SignalLedger, 'symbolsOf'>;
  recent: Pick<RecentSignals, 'newest'>;
  analyzer: Pick<ConcurrentAnalyzer, 'outcomes'>;
  ring: Pick<LogRing, 'entries'>;
  publisher: Pick<Publisher, 'subscribe'>;
  health: Pick<HealthMonitor, 'metrics'>;
}

/** The machine as others see it: its feed, its readiness and its metrics. Reads, and changes nothing. */
export class MachineView implements FeedSource {
  readonly #options: MachineViewOptions;

  constructor(options: MachineViewOptions) {
    this.#options = options;
  }

  get machineId(): string { return this.#options.machineId; }
  get userId(): string { return this.#options.userId; }
  get bootId(): string { return this.#options.bootId; }

  status(): MachineStatus {
    return this.#options.report.status();
  }

  /** What is still missing before the machine screens; empty when it does. */
  missing(): string[] {
    const { report, market } = this.#options;
    return report.screens ? [] : [report.detail(), ...market.problems().map(({ message }) => message)];
  }

  /** What `/ready` says: on the private port in words, on the public one by the phase alone. */
  readiness(): { ready: boolean; missing: string[]; phase: MachineStatus['phase'] } {
    const missing = this.missing();
    return { ready: missing.length === 0, missing, phase: this.#options.phase.current };
  }

  /** As Prometheus reads them. */
  metrics(): Promise<string> {
    return this.#options.health.metrics();
  }

  markets(): MarketRow[] {
    return this.#options.table.rows();
  }

  signals(limit: number): Signal[] {
    return this.#options.recent.newest(limit);
  }

  analyses(limit: number): AnalysisOutcome[] {
    return this.#options.analyzer.outcomes(limit);
  }

  log(): LogEntry[] {
    return this.#options.ring.entries();
  }

  traders(): StoredTrader[] {
    return this.#options.traders.running();
  }

  candles(symbol: string, interval: Interval, limit: number): Candle[] {
    return this.#options.screener.candles.read(symbol, interval, limit);
  }

  /** Candles that are not simply the exchange's: holes, corrections, rows off the grid; oldest first. */
  marks(symbol: string, interval: Interval, limit: number): CandleMark[] {
    return this.#options.market.marks.of(symbol, interval).slice(-limit);
  }

  explain(traderId: string, symbol: string): unknown {
    const { screener, market, ledger } = this.#options;
    const trader = this.traders().find(({ id }) => id === traderId);
    return trader && withUniverse(screener.explain(traderId, symbol), market.universe.why(trader.document.universe, ledger.symbolsOf(traderId), symbol));
  }

  subscribe(listener: (event: FeedEvent) => void): () => void {
    return this.#options.publisher.subscribe(listener);
  }
}
