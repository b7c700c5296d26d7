import { intervalMs, type MachineStatus } from '@trademind/core';
import type { ConcurrentAnalyzer } from './analysis/concurrent-analyzer.ts';
import type { CloudLink } from './control/cloud-link.ts';
import type { HealthMonitor, HealthReadings } from './health/health-monitor.ts';
import type { MarketLink } from './market/market-link.ts';
import type { Notifier } from './notifications/notifier.ts';
import type { DynamicScaler } from './scaling/dynamic-scaler.ts';
import type { ParallelScreener } from './screening/parallel-screener.ts';
import type { TraderSet } from './screening/trader-set.ts';
import type { StateStore } from './state/state-store.ts';
import type { Wall } from './time.ts';
import type { WorkPhase } from './work-phase.ts';

/** A market whose time is further from ours than this is a recording. */
const REPLAY_MS = 43_200_000;

export interface MachineReportOptions {
  bootId: string;
  version: string;
  wall: Wall;
  store: Pick<StateStore, 'outboxState'>;
  market: MarketLink;
  screener: Pick<ParallelScreener, 'work' | 'intervals' | 'shed'>;
  traders: TraderSet;
  health: Pick<HealthMonitor, 'process' | 'report'>;
  phase: Pick<WorkPhase, 'current' | 'waitingFor' | 'pausedAt' | 'screens'>;
  cloudProblems: () => MachineStatus['problems'];
  /** Why nothing that is found can be written; null when all is well. */
  diskProblem: () => MachineStatus['problems'][number] | null;
  /** How the database fares, where there is one. */
  database?: () => ReturnType<CloudLink['health']> | undefined;
  analyzer: Pick<ConcurrentAnalyzer, 'state' | 'problems'>;
  /** The model that is asked; undefined where none is set up. */
  analysisModel: () => string | undefined;
  /** Absent where the size cannot be changed. */
  scaler?: Pick<DynamicScaler, 'advice' | 'problem'> | undefined;
  notifier?: Pick<Notifier, 'stats' | 'problems'> | undefined;
  /** How the feed fares, once one serves the machine. */
  feed: () => HealthReadings['feed'] | undefined;
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
    const { current, pausedAt } = this.#options.phase;
    const { symbols, done, total } = market.candles.progress();
    const { candles, lastCloseAt } = screener.work;
    const scaling = this.#options.scaler?.advice;
    const { waiting, running, today, caps: { tokensPerDay, usdPerDay } } = this.#options.analyzer.state();
    return {
      phase: current, detail: this.detail(), ...(pausedAt !== undefined && { pausedAt }), bootId, version, startedAt: this.#startedAt,
      market: {
        time: market.clock.now(), rate: market.clock.rate, connected: market.streams.connected, symbols, backfilled: { done, total }, lastCloseAt, candles, halted: market.candles.halted(),
      },
      traders: traders.statuses(),
      outbox: { rows, oldestMs: oldestAt === null ? 0 : Math.max(0, wall.epoch() - oldestAt) },
      analysis: { waiting, running, model: this.#options.analysisModel() ?? null, today, caps: { tokensPerDay: Number.isFinite(tokensPerDay) ? tokensPerDay : null, usdPerDay } },
      process: health.process(),
      problems: [...market.problems(), ...this.#problems()],
      health: health.report(), ...(scaling && { scaling }),
    };
  }

  /** Whether nothing is missing any more. */
  get screens(): boolean {
    return this.#options.phase.current === 'screening';
  }

  /** A sentence: what the machine is doing or waiting for. */
  detail(): string {
    const { market, traders, store } = this.#options;
    const { symbols, symbolsDone } = market.candles.progress();
    switch (this.#options.phase.current) {
      case 'booting': return `Waiting for ${this.#options.phase.waitingFor}.`;
      case 'backfilling': return `Loading history: ${symbolsDone} of ${symbols} symbols.`;
      case 'draining': {
        const { rows } = store.outboxState();
        return rows > 0 ? `Draining: ${rows} rows wait to be written.` : 'Drained: nothing waits.';
      }
      default: {
        const { pausedAt } = this.#options.phase;
        if (pausedAt !== undefined) return `Paused by its user at ${new Date(pausedAt).toISOString()}: no candle is screened.`;
        const running = traders.running().length;
        return running === 0 ? 'No trader is enabled: nothing to screen.' : `Screening ${symbols} symbols for ${running} ${running === 1 ? 'trader' : 'traders'}.`;
      }
    }
  }

  readings(): HealthReadings {
    const { market, screener, database } = this.#options;
    const status = this.status();
    const { clockOffsetMs, ...answers } = database?.() ?? {};
    return {
      ...this.#screening(), ...this.#services(), diskFailing: this.#options.diskProblem() !== null, problems: status.problems,
      ...('silenceMs' in answers && { database: answers }), ...this.#clock(clockOffsetMs),
      candles: status.market.candles, screeningMs: screener.work.busyMs, gaps: market.candles.gaps, frames: { ...market.streams.counts }, marks: { ...market.marks.counts }, reconnects: market.streams.reconnects,
      streamSilenceMs: market.streams.silenceMs(), connected: status.market.connected && !(status.phase === 'booting' && market.problems().length > 0), seriesDone: status.market.backfilled.done, seriesTotal: status.market.backfilled.total,
      weightUsed: market.rest.budget.used, outboxRows: status.outbox.rows, outboxOldestMs: status.outbox.oldestMs,
      signals: status.traders.reduce((sum, { signals }) => ({ live: sum.live + signals.live, history: sum.history + signals.history }), { live: 0, history: 0 }),
    };
  }

  /** Each problem of a service beside the market, once. */
  #problems(): MachineStatus['problems'] {
    const { cloudProblems, diskProblem, analyzer, notifier, scaler } = this.#options;
    const all = [...cloudProblems(), diskProblem(), ...analyzer.problems(), ...(notifier?.problems() ?? []), scaler?.problem].filter((one) => one != null);
    return all.filter(({ code }, index) => code !== 'disk_failing' || all.findIndex((other) => other.code === code) === index);
  }

  #services(): Pick<HealthReadings, 'analysis' | 'feed' | 'notifications'> {
    const { analyzer, analysisModel, notifier, traders, market: { clock } } = this.#options;
    const { waiting, oldestCloseTime, circuits } = analyzer.state();
    const wanted = waiting > 0 || traders.running().some(({ document }) => document.analysis.enabled);
    const feed = this.#options.feed();
    const messages = notifier?.stats();
    return {
      ...(wanted && {
        analysis: {
          waiting, oldestMs: oldestCloseTime === null ? 0 : Math.max(0, clock.now() - oldestCloseTime) / clock.rate, down: circuits.length > 0,
          noKey: analysisModel() === undefined, capped: analyzer.problems().some(({ code }) => code === 'analysis_cap'),
        },
      }),
      ...(feed && { feed }), ...(messages && { notifications: { waiting: messages.waiting, oldestMs: messages.oldestMs } }),
    };
  }

  /** How screening keeps up; while its user has paused the machine nothing of it is expected. A close is late by what has passed of the next candle of the shortest interval and a whole one more. */
  #screening(): Pick<HealthReadings, 'screening' | 'candleLagMs' | 'passShare' | 'workers' | 'workersLost' | 'tradersShed'> {
    const { market, screener } = this.#options;
    const { passMs, workers, replaced, lastCloseAt } = screener.work;
    const shortest = Math.min(...screener.intervals().map(intervalMs));
    const screening = this.#options.phase.screens && Number.isFinite(shortest);
    return {
      screening, workers, workersLost: replaced, tradersShed: screener.shed.size,
      ...(screening && { passShare: passMs / Math.max(1, workers) / (shortest / market.clock.rate) }),
      ...(screening && lastCloseAt !== null && { candleLagMs: Math.max(0, market.clock.now() - lastCloseAt - shortest) / market.clock.rate }),
    };
  }

  /** The database's clock is the true one; without it the exchange's, as far as its market runs in our time. */
  #clock(ofDatabase: number | undefined): Pick<HealthReadings, 'clockOffsetMs'> {
    if (ofDatabase !== undefined) return { clockOffsetMs: ofDatabase };
    const { market: { clock }, wall } = this.#options;
    const ofExchange = clock.now() - wall.epoch();
    return clock.rate === 1 && clock.now() > 0 && Math.abs(ofExchange) < REPLAY_MS ? { clockOffsetMs: ofExchange } : {};
  }
}
