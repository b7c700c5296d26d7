import type { MachinePhase, MachineView } from '@trademind/core';
import type { FeedView } from '@trademind/feed-client';
import { count } from './format.ts';

export interface Step { label: string; state: 'done' | 'now' | 'next' }
export interface StartProgress { steps: Step[]; sentence: string; history: { done: number; total: number } | null }

const STEPS: readonly { phase: MachinePhase; label: string }[] = [
  { phase: 'requested', label: 'Requested' },
  { phase: 'creating', label: 'Creating' },
  { phase: 'starting', label: 'Starting' },
  { phase: 'backfilling', label: 'Reading history' },
  { phase: 'screening', label: 'Screening' },
];
const SENTENCES: Partial<Record<MachinePhase, string>> = {
  requested: 'Your machine was asked for.',
  creating: 'Its app, disk and machine are being made.',
  starting: 'It is starting up.',
  backfilling: 'It reads the candles of the past, so that its indicators have settled before the first live signal.',
};

/** How far a machine is on its way to screening; null when it screens already, or is not on that way. */
export function startProgress(machine: MachineView, feed: FeedView): StartProgress | null {
  const said = (feed.state.phase === 'live' ? feed.status : null) ?? null;
  const own: MachinePhase | undefined = said ? (said.phase === 'booting' ? 'starting' : said.phase === 'backfilling' ? 'backfilling' : 'screening') : undefined;
  const phase = own ?? machine.phase;
  const at = STEPS.findIndex((step) => step.phase === phase);
  if (at === -1 || phase === 'screening') return null;
  const backfilled = phase === 'backfilling' ? ((said ?? machine.status)?.market.backfilled ?? null) : null;
  const history = backfilled && backfilled.total > 0 ? backfilled : null;
  const detail = said?.detail ?? machine.detail;
  return {
    steps: STEPS.map(({ label }, index) => ({ label, state: index < at ? 'done' : index === at ? 'now' : 'next' })),
    sentence: history ? `${SENTENCES.backfilling} ${count(history.done)} of ${count(history.total)} series are in.` : (detail ?? SENTENCES[phase] ?? ''),
    history,
  };
}
