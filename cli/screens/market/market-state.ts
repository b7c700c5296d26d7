import type { AnalysisOutcome, FeedFrame, LogEntry, MachineStatus, MarketRow, Signal } from '@trademind/core';

/** What the screen is fed with: the facts of a feed's frames, from a machine or from the runtime in this process. */
export type Fact = Extract<FeedFrame, { type: 'snapshot' | 'status' | 'metrics' | 'signal' | 'analysis' | 'log' }> extends infer F ? F extends { type: infer T; data: infer D } ? { type: T; data: D } : never : never;

export const PANELS = ['signals', 'markets', 'traders', 'log'] as const;
export type Panel = (typeof PANELS)[number];

/** Everything the screen shows. Plain data: the view draws it, `reduce` changes it. */
export interface MarketState {
  /** One phrase about the line to the machine; null while all is well. */
  connection: string | null;
  status: MachineStatus | null;
  markets: ReadonlyMap<string, MarketRow>;
  /** Newest candle first. */
  signals: readonly Signal[];
  /** What became of the signals, by signal id. */
  outcomes: ReadonlyMap<string, AnalysisOutcome>;
  /** Newest first. */
  log: readonly LogEntry[];
  panel: Panel;
  /** Row selected in each panel. A signal stays selected while newer ones come in above it, unless it is the newest. */
  selected: Readonly<Record<Panel, number>>;
}

export type Input =
  | Fact
  | { type: 'connection'; text: string | null }
  | { type: 'panel'; step: 1 | -1 }
  | { type: 'select'; step: number };

const MAX_SIGNALS = 500;
const MAX_LOG = 200;

export function initialState(): MarketState {
  return { connection: 'connecting', status: null, markets: new Map(), signals: [], outcomes: new Map(), log: [], panel: 'signals', selected: { signals: 0, markets: 0, traders: 0, log: 0 } };
}

/** The state after an input. Pure. */
export function reduce(state: MarketState, input: Input): MarketState {
  switch (input.type) {
    case 'snapshot': {
      const { status, markets, signals, analyses, log } = input.data;
      return {
        ...state, status, markets: new Map(markets.map((row) => [row.symbol, row])),
        signals: signals.toSorted(newestFirst).slice(0, MAX_SIGNALS), outcomes: new Map(analyses.map((one) => [one.signalId, one])),
        log: log.toReversed().slice(0, MAX_LOG),
      };
    }
    case 'status': return { ...state, status: input.data };
    case 'metrics': {
      const markets = new Map(state.markets);
      for (const row of input.data.markets) markets.set(row.symbol, row);
      const status = state.status && { ...state.status, market: { ...state.status.market, time: input.data.marketTime } };
      return { ...state, markets, status };
    }
    case 'signal': return addSignal(state, input.data);
    case 'analysis': return { ...state, outcomes: withOutcome(state.outcomes, input.data) };
    case 'log': return { ...state, log: [input.data, ...state.log].slice(0, MAX_LOG) };
    case 'connection': return { ...state, connection: input.text };
    case 'panel': {
      const at = (PANELS.indexOf(state.panel) + input.step + PANELS.length) % PANELS.length;
      return { ...state, panel: PANELS[at] ?? 'signals' };
    }
    case 'select': {
      const last = Math.max(0, rowsOf(state, state.panel) - 1);
      const next = Math.min(last, Math.max(0, state.selected[state.panel] + input.step));
      return { ...state, selected: { ...state.selected, [state.panel]: next } };
    }
  }
}

function addSignal(state: MarketState, signal: Signal): MarketState {
  if (state.signals.some(({ id }) => id === signal.id)) return state;
  const at = state.signals.findIndex((other) => newestFirst(signal, other) <= 0);
  const place = at === -1 ? state.signals.length : at;
  const { signals: chosen } = state.selected;
  const moved = chosen > 0 && place <= chosen ? chosen + 1 : chosen;
  return {
    ...state, signals: state.signals.toSpliced(place, 0, signal).slice(0, MAX_SIGNALS),
    selected: { ...state.selected, signals: Math.min(moved, MAX_SIGNALS - 1) },
  };
}

const newestFirst = (a: Signal, b: Signal) => b.closeTime - a.closeTime || a.id.localeCompare(b.id);

/** How many rows a panel has. */
export function rowsOf(state: MarketState, panel: Panel): number {
  switch (panel) {
    case 'signals': return state.signals.length;
    case 'markets': return state.markets.size;
    case 'traders': return state.status?.traders.length ?? 0;
    case 'log': return state.log.length;
  }
}

/** Markets as they are listed: matching ones first, then by 24 h volume. */
export function marketRows(state: MarketState): MarketRow[] {
  return [...state.markets.values()].sort((a, b) => b.matches.length - a.matches.length || (b.quoteVolume24h ?? 0) - (a.quoteVolume24h ?? 0) || a.symbol.localeCompare(b.symbol));
}

/** The part of `count` rows that fits into `height`, with `selected` in it. */
export function windowOf(count: number, selected: number, height: number): { from: number; to: number } {
  const from = Math.max(0, Math.min(selected - Math.floor(height / 2), count - height));
  return { from, to: Math.min(count, from + height) };
}

/** As many are kept as signals; the oldest leave first. */
function withOutcome(outcomes: ReadonlyMap<string, AnalysisOutcome>, outcome: AnalysisOutcome): ReadonlyMap<string, AnalysisOutcome> {
  const next = new Map(outcomes).set(outcome.signalId, outcome);
  const [oldest] = next.keys();
  if (next.size > MAX_SIGNALS && oldest !== undefined) next.delete(oldest);
  return next;
}
