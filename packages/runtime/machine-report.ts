import type { MachineStatus } from '@trademind/core';
import type { HealthMonitor, HealthReadings } from './health/health-monitor.ts';
import type { MarketLink } from './market/market-link.ts';
import type { ParallelScreener } from './screening/parallel-screener.ts';
import type { TraderSet } from './screening/trader-set.ts';
import type { StateStore } from './state/state-store.ts';
import type { Wall } from './time.ts';

export interface MachineReportOptions {
  bootId: string;
  version: string;
  wall: Wall;
  store: Pick<StateStore, 'outboxState'>;
  market: MarketLink;
  screener: Pick<ParallelScreener, 'work'>;
  traders: TraderSet;
  health: Pick<HealthMonitor, 'process'>;
  phase: () => MachineStatus['phase'];
  waitingFor: () => string;
  problems: () => MachineStatus['problems'];
}

/** What the machine says of itself: to its feed, with its beat, and as figures. All from memory, but for the outbox's size. */
export class MachineReport {
  readonly #options: MachineReportOptions;
  readonly #startedAt: number;

  constructor(options: MachineReportOptions) {
    this.#options = options;
    this.#startedAt = options.wall.epoch();
  }

  status(): MachineStatus {
    const { bootId, version, wall, store, market, screener, traders, health } = this.#options;
    const { rows, oldestAt } = store.outboxState();
    const { symbols, done, total } = market.candles.progress();
    const { candles, lastCloseAt } = screener.work;
    return {
      phase: this.#options.phase(), detail: this.detail(), bootId, version, startedAt: this.#startedAt,
      market: {
        time: market.clock.now(), rate: market.clock.rate, connected: market.streams.connected, symbols, backfilled: { done, total }, lastCloseAt, candles, halted: market.candles.halted(),
      },
      traders: traders.statuses(),
      outbox: { rows, oldestMs: oldestAt === null ? 0 : Math.max(0, wall.epoch() - oldestAt) },
      process: health.process(),
      problems: [...market.problems(), ...this.#options.problems()],
    };
  }

  /** A sentence: what the machine is doing or waiting for. */
  detail(): string {
    const { market, traders, store } = this.#options;
    const { symbols, symbolsDone } = market.candles.progress();
    switch (this.#options.phase()) {
      case 'booting': return `Waiting for ${this.#options.waitingFor()}.`;
      case 'backfilling': return `Loading history: ${symbolsDone} of ${symbols} symbols.`;
      case 'draining': {
        const { rows } = store.outboxState();
        return rows > 0 ? `Draining: ${rows} rows wait to be written.` : 'Drained: nothing waits.';
      }
      default: {
        const running = traders.running().length;
        return running === 0 ? 'No trader is enabled: nothing to screen.' : `Screening ${symbols} symbols for ${running} ${running === 1 ? 'trader' : 'traders'}.`;
      }
    }
  }

  readings(): HealthReadings {
    const { market, screener } = this.#options;
    const status = this.status();
    return {
      candles: status.market.candles, screeningMs: screener.work.busyMs, gaps: market.candles.gaps, frames: { ...market.streams.counts }, reconnects: market.streams.reconnects,
      streamSilenceMs: market.streams.silenceMs(), connected: status.market.connected, seriesDone: status.market.backfilled.done, seriesTotal: status.market.backfilled.total,
      weightUsed: market.rest.budget.used, outboxRows: status.outbox.rows, outboxOldestMs: status.outbox.oldestMs,
      signals: status.traders.reduce((sum, { signals }) => ({ live: sum.live + signals.live, history: sum.history + signals.history }), { live: 0, history: 0 }),
    };
  }
}
