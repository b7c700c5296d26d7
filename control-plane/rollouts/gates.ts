import { readingInWords } from '@trademind/core';
import type { ClaimedRollout } from './view.ts';

/** Why a rollout halts: a stable code, a sentence, and the figures that decided. */
/** Why a rollout halts by itself. */
export const HALT_CODES = ['canary_failed', 'too_many_failed', 'boot_slower', 'more_errors', 'feed_later', 'more_failing'] as const;
export interface Halt { code: (typeof HALT_CODES)[number]; message: string; [figure: string]: unknown }

/** Below so many reports an average says nothing about a version. */
const LEAST_REPORTS = 1;

/**
 * What speaks against the release; null while nothing does. Each figure is compared with the machines that still run the version before, or with
 * what it was when the rollout began once those are gone.
 * @param fresh failures found in this very look, not counted in the view yet
 */
export function judge(view: ClaimedRollout, fresh: { failed: readonly string[]; healthy: number }): Halt | null {
  const { gates } = view.settings;
  const failed = view.failed + fresh.failed.length;
  const judged = failed + (view.counts.healthy ?? 0) + fresh.healthy;
  if (failed > 0 && (view.wave === 0 || failed / judged > gates.failedShare)) {
    const why = [...fresh.failed, ...view.failures].filter((reason) => reason !== null);
    return {
      code: view.wave === 0 ? 'canary_failed' : 'too_many_failed',
      message: `${failed} of ${judged} machines of version ${view.version} failed${view.wave === 0 ? ' in the canary' : ''}: ${why[0] ?? 'the report says why'}`,
      failed, judged, share: failed / judged, allowed: view.wave === 0 ? 0 : gates.failedShare, examples: why.slice(0, 3),
    };
  }
  return slowBoot(view) ?? moreErrors(view) ?? lateCandles(view) ?? moreFailing(view);
}

/** `before`: of the version before, now or at the start. Without any there is only the floor. */
const exceeds = (value: number, before: number | null, ratio: number, floor: number): boolean => value > floor && value > (before ?? 0) * ratio;

function slowBoot({ updated, others, baseline, settings: { gates }, version }: ClaimedRollout): Halt | null {
  const [value, before] = [updated.bootMs ?? null, baseline.bootMs ?? others.bootMs ?? null];
  if (value === null || before === null || !exceeds(value, before, gates.bootRatio, gates.bootFloorMs)) return null;
  return { code: 'boot_slower', message: `Machines of version ${version} take ${readingInWords(value, 'ms')} to boot; the version before took ${readingInWords(before, 'ms')}.`, value, before, ratio: gates.bootRatio };
}

function moreErrors({ updated, others, baseline, settings: { gates }, version }: ClaimedRollout): Halt | null {
  const [value, before] = [updated.errorsPerMinute ?? null, others.errorsPerMinute ?? baseline.errorsPerMinute ?? null];
  if (value === null || updated.reporting < LEAST_REPORTS || !exceeds(value, before, gates.errorRatio, gates.errorFloorPerMinute)) return null;
  return {
    code: 'more_errors', message: `Machines of version ${version} report ${readingInWords(value, 'count')} errors a minute; those of the version before ${before === null ? 'none' : readingInWords(before, 'count')}.`,
    value, before, ratio: gates.errorRatio,
  };
}

function lateCandles({ updated, others, baseline, settings: { gates }, version }: ClaimedRollout): Halt | null {
  const [value, before] = [updated.lagMs ?? null, others.lagMs ?? baseline.lagMs ?? null];
  if (value === null || !exceeds(value, before, gates.lagRatio, gates.lagFloorMs)) return null;
  return {
    code: 'feed_later', message: `The candles of machines of version ${version} are up to ${readingInWords(value, 'ms')} late; those of the version before ${before === null ? 'are not known' : `up to ${readingInWords(before, 'ms')}`}.`,
    value, before, ratio: gates.lagRatio,
  };
}

function moreFailing({ updated, others, settings: { gates }, version }: ClaimedRollout): Halt | null {
  if (updated.reporting < LEAST_REPORTS) return null;
  const [value, before] = [updated.failing / updated.reporting, others.reporting === 0 ? 0 : others.failing / others.reporting];
  if (value - before <= gates.failingShare) return null;
  return {
    code: 'more_failing', message: `${readingInWords(value, 'share')} of the machines of version ${version} say that they fail; of the others ${readingInWords(before, 'share')}.`,
    value, before, allowed: gates.failingShare,
  };
}
