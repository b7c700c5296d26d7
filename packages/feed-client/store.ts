import type { AnalysisOutcome, FeedFrame, LogEntry, MachineStatus, MarketRow, Signal } from '@trademind/core';

/** Where the client stands. `since` is wall time in ms; `reason` is a sentence or a short code of what went wrong last. */
export type FeedState =
  | { phase: 'idle' }
  /** `missing`: what the machine itself names as not ready yet, once it answers. */
  | { phase: 'waiting-for-machine'; since: number; attempt: number; reason: string | null }
  | { phase: 'connecting'; since: number; missing: readonly string[] }
  | { phase: 'live'; since: number }
  /** The line is lost, not the machine. */
  | { phase: 'reconnecting'; since: number; attempt: number; reason: string }
  | { phase: 'closed'; reason: string };

/** All that is known of a machine from its feed. Replaced as a whole at every change, never written to. */
export interface FeedView {
  readonly state: FeedState;
  readonly status: MachineStatus | null;
  readonly marketTime: number | null;
  readonly markets: ReadonlyMap<string, MarketRow>;
  /** Newest candle first, each id once. */
  readonly signals: readonly Signal[];
  /** What became of signals, by signal id; those of the newest signals. */
  readonly analyses: ReadonlyMap<string, AnalysisOutcome>;
  /** Oldest first. */
  readonly log: readonly LogEntry[];
  /** What the session may do, and which commands the machine carries out for it. */
  readonly scopes: readonly string[];
  readonly commands: readonly string[];
  /** How often frames were lost because this client could not keep up; a snapshot followed each time. */
  readonly gaps: number;
  /** Frames that did not match the contract and were ignored. */
  readonly malformed: number;
}

const MAX_SIGNALS = 500;
const MAX_LOG = 200;

/** The view before a machine has said anything. */
export function emptyView(): FeedView {
  return { state: { phase: 'idle' }, status: null, marketTime: null, markets: new Map(), signals: [], analyses: new Map(), log: [], scopes: [], commands: [], gaps: 0, malformed: 0 };
}

/** The view after a frame. Pure; a frame that changes nothing gives the same view back. */
export function applyFrame(view: FeedView, frame: FeedFrame): FeedView {
  switch (frame.type) {
    case 'hello':
      return { ...view, scopes: frame.data.scopes, commands: frame.data.commands };
    case 'gap':
      return { ...view, gaps: view.gaps + 1 };
    case 'snapshot': {
      const { status, markets, signals, analyses, log } = frame.data;
      return {
        ...view, status, marketTime: status.market.time, markets: new Map(markets.map((row) => [row.symbol, row])),
        signals: signals.toReversed().reduce<readonly Signal[]>(withSignal, []), analyses: analyses.toReversed().reduce(withAnalysis, new Map()),
        log: log.slice(-MAX_LOG),
      };
    }
    case 'status':
      return { ...view, status: frame.data, marketTime: frame.data.market.time };
    case 'metrics': {
      const markets = new Map(view.markets);
      for (const row of frame.data.markets) markets.set(row.symbol, row);
      return { ...view, markets, marketTime: frame.data.marketTime };
    }
    case 'signal':
      return { ...view, signals: withSignal(view.signals, frame.data) };
    case 'analysis':
      return { ...view, analyses: withAnalysis(view.analyses, frame.data) };
    case 'log':
      return { ...view, log: [...view.log, frame.data].slice(-MAX_LOG) };
    default:
      return view;
  }
}

/** The newest outcomes are kept, the oldest leave first. */
function withAnalysis(analyses: ReadonlyMap<string, AnalysisOutcome>, outcome: AnalysisOutcome): ReadonlyMap<string, AnalysisOutcome> {
  const next = new Map(analyses).set(outcome.signalId, outcome);
  const [oldest] = next.keys();
  if (next.size > MAX_SIGNALS && oldest !== undefined) next.delete(oldest);
  return next;
}

/** Puts a signal before those of older candles; a known id changes nothing. */
function withSignal(signals: readonly Signal[], signal: Signal): readonly Signal[] {
  if (signals.some(({ id }) => id === signal.id)) return signals;
  const at = signals.findIndex(({ closeTime }) => closeTime <= signal.closeTime);
  return signals.toSpliced(at === -1 ? signals.length : at, 0, signal).slice(0, MAX_SIGNALS);
}
