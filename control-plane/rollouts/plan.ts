import { readingInWords, type RolledState, type RolloutState, type Wave } from '@trademind/core';
import { judge, type Halt } from './gates.ts';
import type { Candidate, ClaimedRollout, UnderWay } from './view.ts';

interface Mark { machineId: string; state: RolledState; reason?: string; bootMs?: number }
export interface RolloutEvent { kind: string; message: string; data?: Record<string, unknown> }

/** What is to be written, whole or not at all. Absent = as it is. */
export interface Step {
  marks: Mark[];
  take: string[];
  revert: string[];
  state?: RolloutState;
  wave?: number;
  /** Whether every machine of the wave is judged by now. */
  settled?: boolean;
  reason?: Halt;
  events: RolloutEvent[];
  nextSeconds: number;
}

/** Soon while machines are under way, else when the pause ends, but never much later: the gates watch throughout. */
const BUSY_SECONDS = 2;
const WATCH_SECONDS = 15;
/** Going back is waited for with more patience than an update: there is nothing better to do. */
const BACK_SECONDS = 600;

/**
 * The next step of a rollout. Pure: whichever replica plans it from the same view plans the same, and a step that was not written is simply planned
 * again. A wave takes its machines a few at a time, is watched for the pause once all are judged, and only then the next begins.
 */
export function planRollout(view: ClaimedRollout): Step {
  const { now } = view;
  if (view.state === 'rolling_back') return planBack(view);
  const marks = [...view.underWay.flatMap((machine) => judgeMachine(view, machine, now)), ...crashed(view)];
  const counted = new Set(view.underWay.filter((machine) => machine.counted).map((machine) => machine.machineId));
  const failed = marks.filter((mark) => mark.state === 'failed');
  // a machine that did not run before either says nothing about the release
  const halt = judge(view, {
    failed: failed.filter((mark) => counted.has(mark.machineId) || !view.underWay.some((machine) => machine.machineId === mark.machineId)).map((mark) => mark.reason ?? ''),
    healthy: marks.filter((mark) => mark.state === 'healthy').length,
  });
  const told = failed.map((mark): RolloutEvent => ({ kind: 'machine.failed', message: `Machine ${mark.machineId}: ${mark.reason ?? 'it failed.'}`.slice(0, 2_000), data: { machine: mark.machineId } }));
  if (halt !== null) {
    return {
      marks, take: [], revert: [], state: 'rolling_back', reason: halt, nextSeconds: 0,
      events: [...told, { kind: 'halted', message: `Halted in ${waveName(view.wave)}, everything goes back: ${halt.message}`.slice(0, 2_000), data: halt }],
    };
  }
  const step: Step = { marks, take: [], revert: [], events: told, nextSeconds: BUSY_SECONDS };
  if (view.state === 'paused') return { ...step, nextSeconds: view.underWay.length > 0 ? BUSY_SECONDS : WATCH_SECONDS };
  return planOnward(view, step, now);
}

/** Takes more machines of this wave, waits for it, or goes on to the next. */
function planOnward(view: ClaimedRollout, step: Step, now: number): Step {
  const { settings, wave, counts } = view;
  const ended = step.marks.filter((mark) => view.underWay.some((machine) => machine.machineId === mark.machineId));
  const busy = view.underWay.length - ended.length;
  const taken = (counts.updating ?? 0) + (counts.healthy ?? 0) + (counts.failed ?? 0) - step.marks.filter((mark) => mark.state === 'left').length;
  const target = reached(settings.waves[wave] ?? { share: 1 }, taken + view.waiting);
  const last = wave >= settings.waves.length - 1;
  // the last wave is all, also those that were made meanwhile
  const short = last ? view.waiting : Math.min(target - taken, view.waiting);
  const room = Math.min(settings.parallel - busy, short);
  const take = oneOfEachUser(view.candidates, settings.parallel).slice(0, Math.max(0, room)).map((candidate) => candidate.machineId);
  if (take.length > 0) return { ...step, take, settled: false };
  // candidates of users whose other machine is under way come later
  if (busy > 0 || short > 0) return { ...step, settled: false };
  if (view.waveSettledAt === null) {
    return { ...step, settled: true, nextSeconds: Math.min(settings.pauseSeconds, WATCH_SECONDS), events: [...step.events, {
      kind: 'wave.settled', message: `${capital(waveName(wave))} is updated: ${taken} machines so far. It is watched for ${settings.pauseSeconds} s.`, data: { wave, taken, waiting: view.waiting },
    }] };
  }
  const left = settings.pauseSeconds - (now - view.waveSettledAt) / 1_000;
  if (left > 0) return { ...step, nextSeconds: Math.min(left, WATCH_SECONDS) };
  if (!last) {
    return { ...step, wave: wave + 1, settled: false, nextSeconds: 0, events: [...step.events, { kind: 'wave', message: `${capital(waveName(wave + 1))} begins: ${view.waiting} machines are waiting.`, data: { wave: wave + 1 } }] };
  }
  return { ...step, state: 'succeeded', events: [...step.events, {
    kind: 'succeeded', message: `Version ${view.version} runs on ${counts.healthy ?? 0} machines${(counts.failed ?? 0) > 0 ? `; ${counts.failed} failed` : ''}. New machines get it from now on.`, data: { ...counts },
  }] };
}

/** Brings back what was taken, as many at once as an update may. */
function planBack(view: ClaimedRollout): Step {
  const patience = Math.max(BACK_SECONDS, view.settings.gates.bootSeconds);
  const marks = view.underWay.filter((machine) => machine.state === 'reverting').flatMap((machine): Mark[] => {
    if (machine.desiredState !== 'started') return [{ machineId: machine.machineId, state: 'reverted', reason: `It is ${machine.desiredState}; its wish names the version before.` }];
    if (machine.desiredImage === view.image) return [{ machineId: machine.machineId, state: 'stuck', reason: 'Its wish names the release still.' }];
    if (runsAsWished(machine)) return [{ machineId: machine.machineId, state: 'reverted', ...(machine.bootMs === null ? {} : { bootMs: machine.bootMs }) }];
    if (view.now - machine.changedAt <= patience * 1_000) return [];
    return [{ machineId: machine.machineId, state: 'stuck', reason: `It did not come back within ${patience} s: ${machine.lastError?.message ?? `it is ${machine.phase}`}` }];
  });
  const busy = view.underWay.filter((machine) => machine.state === 'reverting').length - marks.length;
  const revert = oneOfEachUser(view.toRevert, view.settings.parallel).slice(0, Math.max(0, view.settings.parallel - busy)).map((candidate) => candidate.machineId);
  const step: Step = { marks, take: [], revert, events: [], nextSeconds: 1 };
  // not in the step that marks the last one: another machine of its user may have waited for it
  if (view.underWay.length > 0 || view.toRevert.length > 0) return step;
  const { reverted: back = 0, stuck = 0 } = view.counts;
  return { ...step, state: 'rolled_back', events: [{
    kind: 'rolled_back', message: `${back} machines run the version before again${stuck > 0 ? `; ${stuck} did not come back and need somebody` : ''}. ${view.reason?.message ?? ''}`.trim().slice(0, 2_000), data: { reverted: back, stuck },
  }] };
}

/** What is to be said of a machine that is being updated; nothing while it is on its way. */
function judgeMachine({ image, settings: { gates } }: ClaimedRollout, machine: UnderWay, now: number): Mark[] {
  const { machineId } = machine;
  const bad = (reason: string): Mark[] => [machine.counted ? { machineId, state: 'failed', reason } : { machineId, state: 'left', reason: `It did not run before either. ${reason}` }];
  if (machine.desiredState !== 'started') return [{ machineId, state: 'left', reason: `Its user wished it ${machine.desiredState} meanwhile.` }];
  if (machine.desiredImage !== image) return bad(`It was taken back to another image${machine.lastError ? `: ${machine.lastError.message}` : '.'}`);
  if (machine.wentBack) return bad(machine.failure ?? 'It did not become ready, and runs the version before.');
  if (machine.crashes >= gates.crashes) return bad(`It ended against its will ${machine.crashes} times since it was updated.`);
  if (runsAsWished(machine)) return [{ machineId, state: 'healthy', ...(machine.bootMs === null ? {} : { bootMs: machine.bootMs }) }];
  if (machine.phase === 'failed' && machine.lastError !== null && Date.parse(machine.lastError.at) > machine.changedAt) return bad(machine.lastError.message);
  if (now - machine.changedAt > gates.bootSeconds * 1_000) {
    return bad(`It did not say within ${readingInWords(gates.bootSeconds * 1_000, 'ms')} that it is ready; it is ${machine.phase}${machine.lastError ? `: ${machine.lastError.message}` : '.'}`);
  }
  return [];
}

/** The wish that names the image was fulfilled, and the machine says that it screens. */
const runsAsWished = (machine: UnderWay): boolean => machine.phase === 'screening' && machine.image === machine.desiredImage && machine.observedGeneration >= machine.generation;

/** Machines that booted well and end again and again since. */
const crashed = ({ updated, settings: { gates } }: ClaimedRollout): Mark[] => updated.crashing.filter((one) => one.crashes >= gates.crashes)
  .map((one) => ({ machineId: one.machineId, state: 'failed', reason: `It ended against its will ${one.crashes} times within the hour since it was updated.` }));

/** How many machines a wave reaches of so many. */
export const reached = (wave: Wave, all: number): number => Math.min(all, 'machines' in wave ? wave.machines : Math.ceil(wave.share * all));

function oneOfEachUser(candidates: readonly Candidate[], limit: number): Candidate[] {
  return [...new Map(candidates.toReversed().map((candidate) => [candidate.userId, candidate])).values()].toReversed().slice(0, limit);
}

const waveName = (wave: number): string => (wave === 0 ? 'the canary' : `wave ${wave}`);
const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);
