import { createHash } from 'node:crypto';
import { nextPhase } from '@trademind/core';
import { FlyError } from '@trademind/fly';
import type { MachinePatch, MachineRow, NewSecret } from '../database/rows.ts';
import { LeaseLost, act, type ActContext, type Deed } from './act.ts';
import type { Action, Trouble } from './actions.ts';
import { memoryOf } from './memory.ts';
import { Notes, type Noted, type NotesOptions } from './notes.ts';
import { observe, type ObserveOptions } from './observe.ts';
import { outcomeOfError, type Outcome } from './outcome.ts';
import { walk } from './place.ts';
import { plan } from './plan.ts';
import { phaseChange, settled, sighted } from './sighted.ts';
import { stagesOf } from './stages.ts';
import { wishOf } from './wish.ts';

export interface ReconcileContext extends Omit<ActContext, 'wish' | 'row' | 'signal' | 'learned' | 'database' | 'fly'> {
  fly: ActContext['fly'] & ObserveOptions['fly'];
  database: ActContext['database'] & Pick<NotesOptions, 'record'>;
  /** 32 random bytes as base64url. */
  newSecret: () => string;
  probe: ObserveOptions['probe'];
}

/** How a look ended, and what is still to be written with its end. */
export interface Look extends Noted { outcome: Outcome; row: MachineRow }

/**
 * One look at one machine: read what Fly shows, plan, do what the plan says stage by stage, and write each stage back before the next begins. It ends early when the wish
 * changed meanwhile. Throws LeaseLost when the row belongs to somebody else by now; every other error is an outcome.
 */
export async function reconcile(claimed: MachineRow, context: ReconcileContext, signal: AbortSignal): Promise<Look> {
  const whole = { read: false };
  const look = await lookAt(claimed, context, signal, whole);
  // lists may be read, and addresses asked for, so often in a second, whichever replicas do it: the next look may be another's
  const { outcome } = look;
  if (!whole.read) return look;
  if (outcome.kind === 'requeue') return { ...look, outcome: { ...outcome, afterMs: Math.max(WHOLE_LOOK_MS, outcome.afterMs) } };
  return outcome.kind === 'retryable' ? { ...look, outcome: { ...outcome, floorMs: Math.max(WHOLE_LOOK_MS, outcome.floorMs ?? 0) } } : look;
}

/** Fly's limit for each list of each app. */
const WHOLE_LOOK_MS = 1_000;

async function lookAt(claimed: MachineRow, context: ReconcileContext, signal: AbortSignal, whole: { read: boolean }): Promise<Look> {
  const notes = new Notes(claimed, { record: (...step) => context.database.record(...step), now: context.now });
  const ends = (outcome: Outcome, noted: Noted = NOTHING): Look => ({ outcome, row: notes.row, ...notes.rest(noted) });
  let doing: Deed | null = null;
  let announced = false;
  try {
    const wish = wishOf(notes.row, context.contract);
    const seen = await observe(notes.row, wish, { fly: context.fly, probe: context.probe, signal });
    whole.read = seen.volumes !== null;
    const made = plan(wish, seen, memoryOf(notes.row), context.now());
    notes.take(sighted(notes.row, wish, seen, made, context));
    const deeds = made.actions.filter(isDeed);
    const end = outcomeOf(made.actions);
    const secret = secretFor(deeds, context);
    let unstored: NewSecret | null = secret?.stored ?? null;
    const learned: ActContext['learned'] = secret === null ? {} : { secret: secret.value };
    let appMade = false;
    for (const stage of stagesOf(deeds)) {
      const [first] = stage;
      // said before it is done: whoever goes on after this replica died looks at everything, and never starts another one beside it
      announced = first?.kind === 'create-machine' && notes.row.doubt === null;
      if (announced) notes.take({ patch: { doubt: { kind: 'create-machine', at: new Date(context.now()).toISOString() } }, events: [] });
      // that an app was made is written with what comes next, at the latest before a machine is made
      const writing = appMade && !announced ? Promise.resolve(true) : notes.write(unstored);
      unstored = null;
      appMade = first?.kind === 'create-app';
      // an app has its name from the user, and is found by it whatever happens: it is made while the row is written
      const nothingWished: Noted = announced ? { patch: { doubt: null }, events: [] } : NOTHING;
      if (!appMade && !(await writing)) return ends({ kind: 'requeue', afterMs: 0 }, nothingWished);
      const { row } = notes;
      const [written, ...results] = await Promise.allSettled([writing, ...stage.map((deed) => timed(deed, { ...context, wish, row, signal, learned }))]);
      for (const result of results) if (result.status === 'fulfilled') notes.take(result.value);
      const failure = worst([written, ...results].flatMap((result, at) => (result.status === 'rejected' ? [{ error: result.reason as unknown, deed: stage[at - 1] ?? null }] : [])));
      if (failure !== null) {
        doing = failure.deed;
        throw failure.error;
      }
      // from here on it is Fly's and the machine's turn
      if (first?.kind === 'create-machine') notes.take(phaseChange(notes.row, 'booting', context.now()));
      if (announced) notes.take({ patch: { doubt: null }, events: [] });
      announced = false;
      if (!(await writing)) return ends({ kind: 'requeue', afterMs: 0 });
    }
    return ends(end, end.kind === 'done' && made.awaitsTurn !== true ? settled(notes.row, wish, context) : NOTHING);
  } catch (error) {
    if (error instanceof LeaseLost) throw error;
    const { outcome, ...noted } = failed(error, doing, notes.row, context, signal);
    // Fly said that it did not happen
    const nothing: MachinePatch = announced && error instanceof FlyError && error.outcome === 'known' ? { doubt: null } : {};
    return ends(outcome, { patch: { ...noted.patch, ...nothing }, events: noted.events });
  }
}

const NOTHING: Noted = { patch: {}, events: [] };

/** One deed, and the sentence that tells it with the time it took. */
async function timed(deed: Deed, context: ActContext): Promise<Noted> {
  const began = context.now();
  const done = await act(deed, context);
  return { patch: done.patch, events: [{ kind: done.kind, message: done.message, data: { ...done.data, ms: context.now() - began } }] };
}

interface Failure { error: unknown; deed: Deed | null }

/** Of what failed side by side, that by which the look is judged: a lost lease, then what nobody knows the outcome of, a volume first, for only of volumes may there be two. */
function worst(failures: readonly Failure[]): Failure | null {
  const weight = ({ error, deed }: Failure) => (error instanceof LeaseLost ? 3 : error instanceof FlyError && error.outcome === 'unknown' ? (deed?.kind === 'create-volume' ? 2 : 1) : 0);
  return failures.toSorted((a, b) => weight(b) - weight(a))[0] ?? null;
}

/** A secret that the deeds need: its hash is stored before Fly learns it, so that no machine can ever hold one that is refused. */
function secretFor(deeds: readonly Deed[], context: ReconcileContext): { value: string; stored: NewSecret } | null {
  const deed = deeds.find(({ kind }) => kind === 'set-secret');
  if (deed?.kind !== 'set-secret') return null;
  const value = context.newSecret();
  return { value, stored: { hash: createHash('sha256').update(value).digest('hex'), version: deed.version } };
}

function failed(error: unknown, doing: Deed | null, row: MachineRow, context: ReconcileContext, signal: AbortSignal): Look {
  const at = new Date(context.now()).toISOString();
  // whether it happened is looked for before anything else is written
  const doubt: MachinePatch = doing !== null && error instanceof FlyError && error.outcome === 'unknown' ? { doubt: { kind: doing.kind, at } } : {};
  if (signal.aborted) return { outcome: { kind: 'requeue', afterMs: 0 }, patch: doubt, events: [], row };
  if (doing !== null && error instanceof FlyError && error.code === 'fly_capacity') return noRoom(error, doing, row, context);
  const outcome = outcomeOfError(error);
  // what Fly refuses for good leaves what worked before
  if (doing !== null && outcome.kind === 'terminal' && mayGoBack(row)) return goBack(outcome.trouble, row, at);
  const patch: MachinePatch = outcome.kind === 'terminal' ? { phase: nextPhase(row.phase, 'broken'), phase_detail: outcome.trouble.message } : {};
  return { outcome, patch: { ...doubt, ...patch }, events: [], row };
}

/** Fly has no room: the next place that the user allows; when none is left, back to what stands, or all of them again later. */
function noRoom(error: FlyError, doing: Deed, row: MachineRow, { contract, now }: ReconcileContext): Look {
  const stands = doing.kind === 'update' || doing.kind === 'start';
  const next = walk(row, contract, stands, error.message, now());
  if (next.kind === 'next') {
    const moved = next.place.region !== (row.placed?.region ?? row.desired_region);
    return {
      outcome: { kind: 'requeue', afterMs: 0 }, row,
      patch: { placed: next.place, tried: next.tried, ...(moved ? { placement: row.placement + 1 } : {}) },
      events: [{ kind: 'capacity', message: next.message, data: { tried: next.tried, next: next.place } }],
    };
  }
  const { trouble } = next;
  if (mayGoBack(row)) return goBack(trouble, row, new Date(now()).toISOString());
  return { outcome: { kind: 'retryable', trouble, floorMs: Math.max(5_000, error.retryAfterMs ?? 0) }, row, patch: { placed: null, tried: [] }, events: [] };
}

/** A changed wish that cannot be: there is a version to stay with. */
const mayGoBack = (row: MachineRow): boolean => row.good !== null && row.failed_generation !== row.generation && row.observed_generation < row.generation;

function goBack(trouble: Trouble, row: MachineRow, at: string): Look {
  const message = `${trouble.message} The machine stays as it was.`;
  return {
    outcome: { kind: 'requeue', afterMs: 0 }, row,
    patch: { failed_generation: row.generation, failure: { code: trouble.code, message, nextStep: trouble.nextStep ?? 'Change the wish.', at, exitCode: null, oomKilled: false, logs: [] }, placed: null, tried: [] },
    events: [{ kind: 'version.rolled-back', message, data: { code: trouble.code } }],
  };
}

const isDeed = (action: Action): action is Deed => !['wait', 'back-off', 'give-up', 'none'].includes(action.kind);

/** How a list of actions ends; one that says nothing is looked at again at once. */
function outcomeOf(actions: readonly Action[]): Outcome {
  const last = actions.at(-1);
  switch (last?.kind) {
    case 'none': return { kind: 'done' };
    case 'wait': return { kind: 'requeue', afterMs: last.ms };
    case 'back-off': return { kind: 'retryable', trouble: last.trouble };
    case 'give-up': return { kind: 'terminal', trouble: last.trouble };
    default: return { kind: 'requeue', afterMs: 0 };
  }
}
