import type { AnalysisOutcome, FeedFrame, MachineEvent, MachinePhase, MachineStatus, Signal } from '@trademind/core';

/** What has been told of a machine so far. */
export interface Timeline {
  phase: MachinePhase | null;
  /** null while the feed is not connected. */
  status: MachineStatus | null;
  /** The boot that spoke last. */
  bootId: string | null;
  /** Ids of signals that were known before this run or have been told in it. */
  known: ReadonlySet<string>;
  backfilled: string;
  historyState: 'not yet' | 'due' | 'told';
  /** Matches of the last 24 h that backfill found and that were not known before. */
  history: readonly Signal[];
  /** Live signals of this run. */
  live: number;
  halted: readonly string[];
  /** Market time of the last status that was told as a line. */
  rareAt: number | null;
}

/** Something worth telling, in the order in which it happened. */
export type Telling =
  | { type: 'created'; message: string }
  | { type: 'phase'; phase: MachinePhase; message: string; first: boolean }
  | { type: 'backfill'; status: MachineStatus }
  | { type: 'screening'; status: MachineStatus; again: boolean }
  | { type: 'history'; signals: readonly Signal[]; status: MachineStatus }
  | { type: 'signal'; signal: Signal; first: boolean }
  /** What the analysis says of a signal. */
  | { type: 'decision'; outcome: Extract<AnalysisOutcome, { kind: 'decision' }> }
  /** `rare`: one of those worth a line of their own. */
  | { type: 'status'; status: MachineStatus; rare: boolean }
  | { type: 'halted'; symbols: readonly string[]; all: boolean };

/** A status line for programs so often, in wall time. */
const RARE_MS = 10_000;
/** More are not remembered: a machine's own ring and the database hold them all. */
const KNOWN_LIMIT = 20_000;

export function beginTimeline(knownIds: Iterable<string> = []): Timeline {
  return { phase: null, status: null, bootId: null, known: new Set(knownIds), backfilled: '', historyState: 'not yet', history: [], live: 0, halted: [], rareAt: null };
}

/** Phases that only the machine itself can tell well: it does so on its feed, with numbers. */
const TOLD_BY_FEED: ReadonlySet<MachinePhase> = new Set(['backfilling', 'screening']);
/** Phases before the machine speaks for itself: news of them that arrives while it does is old. */
const BEFORE_FEED: ReadonlySet<MachinePhase> = new Set(['requested', 'creating', 'starting']);

/** Takes in an event of the control plane: pure. */
export function onEvent(timeline: Timeline, event: MachineEvent): [Timeline, Telling[]] {
  if (event.kind === 'machine.created') return [timeline, [{ type: 'created', message: event.message }]];
  const to = phaseOf(event);
  if (to === null || to === timeline.phase || TOLD_BY_FEED.has(to) || (timeline.status && BEFORE_FEED.has(to))) return [timeline, []];
  return [{ ...timeline, phase: to }, [{ type: 'phase', phase: to, message: event.message, first: timeline.historyState === 'not yet' }]];
}

/** The feed was lost: what the control plane says counts again until it is back. */
export function onLost(timeline: Timeline): Timeline {
  return { ...timeline, status: null };
}

function phaseOf(event: MachineEvent): MachinePhase | null {
  const to = event.data.to;
  return event.kind === 'phase' && typeof to === 'string' ? (to as MachinePhase) : null;
}

/** Takes in a frame of the machine's feed: pure. */
export function onFrame(timeline: Timeline, frame: FeedFrame): [Timeline, Telling[]] {
  switch (frame.type) {
    case 'snapshot': {
      const [first, status] = onStatus(timeline, frame.data.status);
      const [next, signals] = takeSignals(first, frame.data.signals.toSorted((a, b) => a.closeTime - b.closeTime));
      return [next, [...status, ...signals]];
    }
    case 'status': return onStatus(timeline, frame.data);
    case 'signal': return takeSignals(timeline, [frame.data]);
    case 'analysis': return [timeline, frame.data.kind === 'decision' ? [{ type: 'decision', outcome: frame.data }] : []];
    default: return [timeline, []];
  }
}

function onStatus(before: Timeline, status: MachineStatus): [Timeline, Telling[]] {
  const tellings: Telling[] = [];
  const rebooted = before.bootId !== null && before.bootId !== status.bootId;
  let timeline: Timeline = { ...before, status, bootId: status.bootId, phase: rebooted ? 'starting' : before.phase };
  if (status.phase === 'backfilling' || status.phase === 'screening') {
    const { done, total } = status.market.backfilled;
    const backfilled = `${status.bootId} ${done}/${total}`;
    if (backfilled !== timeline.backfilled && (status.phase === 'backfilling' || timeline.phase !== 'screening')) tellings.push({ type: 'backfill', status });
    timeline = { ...timeline, backfilled };
  }
  if (status.phase === 'backfilling' && timeline.phase !== 'backfilling') timeline = { ...timeline, phase: 'backfilling' };
  if (status.phase === 'screening' && timeline.phase !== 'screening') {
    tellings.push({ type: 'screening', status, again: timeline.historyState !== 'not yet' });
    timeline = { ...timeline, phase: 'screening', historyState: timeline.historyState === 'not yet' ? 'due' : timeline.historyState };
  }
  const halted = status.market.halted.filter((symbol) => !timeline.halted.includes(symbol));
  if (halted.length > 0) tellings.push({ type: 'halted', symbols: halted, all: status.market.halted.length >= status.market.symbols });
  const rare = before.rareAt === null || status.market.time - before.rareAt >= RARE_MS * status.market.rate;
  return [{ ...timeline, halted: status.market.halted, rareAt: rare ? status.market.time : before.rareAt }, [...tellings, { type: 'status', status, rare }]];
}

/**
 * History is told once, a moment after screening began, when what backfill found has been counted; before the first live signal in any
 * case. Pure.
 */
export function onSettled(timeline: Timeline): [Timeline, Telling[]] {
  if (timeline.historyState !== 'due' || !timeline.status) return [timeline, []];
  return [{ ...timeline, historyState: 'told', history: [] }, [{ type: 'history', signals: timeline.history, status: timeline.status }]];
}

function takeSignals(before: Timeline, signals: readonly Signal[]): [Timeline, Telling[]] {
  const fresh = signals.filter(({ id }) => !before.known.has(id));
  if (fresh.length === 0) return [before, []];
  const live = fresh.filter(({ origin }) => origin === 'live');
  const found = before.historyState === 'told' ? [] : fresh.filter(({ origin }) => origin === 'history');
  const taken = { ...before, known: bounded([...before.known, ...fresh.map(({ id }) => id)]), history: [...before.history, ...found] };
  const [timeline, tellings] = live.length > 0 ? onSettled(taken) : [taken, []];
  const told = live.map((signal, index): Telling => ({ type: 'signal', signal, first: timeline.live === 0 && index === 0 }));
  return [{ ...timeline, live: timeline.live + live.length }, [...tellings, ...told]];
}

function bounded(ids: readonly string[]): ReadonlySet<string> {
  return new Set(ids.length > KNOWN_LIMIT ? ids.slice(-KNOWN_LIMIT) : ids);
}
