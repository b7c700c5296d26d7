import { TraderDocument, type Candle, type Signal, type TraderInput } from '@trademind/core';
import { signalOf, type Match, type RunningTrader } from '@trademind/engine';
import { simulateCandles } from '../../../engine/testing/simulate.ts';
import { systemWall, type Wall } from '../../time.ts';
import { ParallelScreener } from '../parallel-screener.ts';
import { SignalLedger } from '../signal-ledger.ts';

export const START = Date.parse('2026-01-05T00:00Z');
export const MINUTE = 60_000;
export const id = (index: number): string => `00000000-0000-4000-8000-${String(index).padStart(12, '0')}`;
export const trader = (index: number, where: Record<string, string>, rest: Partial<TraderInput> = {}, version = 1): RunningTrader =>
  ({ id: id(index), version, document: TraderDocument.parse({ name: `trader ${index}`, side: 'long', interval: '1m', where, ...rest }) });
export const marketOf = (symbols: readonly string[], count: number): Map<string, Candle[]> => new Map(symbols.map((symbol, index) => [symbol, simulateCandles(count, { seed: index + 1, openTime: START })]));
/** The ids that these matches have as live signals. */
export const ids = (matches: readonly Match[]): string[] => matches.map((match) => signalOf(match, 'live').id).sort();

/** A screener as the machine has it: what it tells goes through a ledger, which decides what is a signal. */
export class Rig {
  readonly screener: ParallelScreener;
  readonly ledger: SignalLedger;
  readonly signals: Signal[] = [];
  readonly logs: string[] = [];
  market = 0;

  constructor(options: { workers?: number | 'auto'; cpus?: number; wall?: Wall } = {}) {
    this.screener = new ParallelScreener({
      defaultInterval: '1m', capacity: () => 1_000, wall: options.wall ?? systemWall, log: (_level, code) => this.logs.push(code), marketNow: () => this.market, workers: options.workers ?? 0, cpus: options.cpus ?? 2,
      onScreened: ({ matches, screened, absent }) => {
        this.ledger.matched(matches);
        this.ledger.absent(absent);
        for (const to of screened) this.ledger.screened(to);
        const { signals } = this.ledger.step();
        this.signals.push(...signals);
        this.ledger.written(signals);
      },
    });
    this.ledger = new SignalLedger({ recent: [], rules: () => undefined, onTripped: () => {} });
  }

  /** This trader is to screen these symbols; those that are new to it from candles on that close after `from`. */
  screens({ id: traderId, version }: RunningTrader, symbols: readonly string[], from = START): void {
    const known = this.ledger.state(traderId)?.version === version ? this.marks(traderId) : new Map<string, number>();
    this.ledger.setTrader(
      { traderId, version, historyFrom: START, liveFrom: START, liveSignals: 0, historySignals: 0 },
      symbols.map((symbol) => ({ traderId, version, symbol, interval: '1m', closeTime: known.get(symbol) ?? from })),
    );
    this.screener.setUniverse(traderId, new Set(symbols));
  }

  /** How far a trader has come on each of its symbols. */
  marks(traderId: string): Map<string, number> {
    return new Map([...this.ledger.symbolsOf(traderId)].map((symbol) => [symbol, this.ledger.marksOf(symbol).find((mark) => mark.traderId === traderId)!.closeTime]));
  }

  get ids(): string[] {
    return this.signals.map(({ id: signal }) => signal).sort();
  }
}
