import { nextPhase } from '@trademind/core';
import { FlyError } from '@trademind/fly';
import type { MachinePatch, MachineRow, NewEvent } from '../database/rows.ts';
import { LeaseLost, act, type ActContext, type Deed } from './act.ts';
import type { Action, Trouble } from './actions.ts';
import { memoryOf } from './memory.ts';
import { observe, type ObserveOptions } from './observe.ts';
import { outcomeOfError, type Outcome } from './outcome.ts';
import { walk } from './place.ts';
import { plan } from './plan.ts';
import { phaseChange, settled, sighted } from './sighted.ts';
import { wishOf } from './wish.ts';

export interface ReconcileContext extends Omit<ActContext, 'wish' | 'row' | 'signal' | 'learned' | 'database' | 'fly'> {
  fly: ActContext['fly'] & ObserveOptions['fly'];
  database: ActContext['database'] & { record(machineId: string, fence: number, patch: MachinePatch, events: readonly NewEvent[]): Promise<number | null> };
  probe: ObserveOptions['probe'];
}

/** How a look ended, and what is still to be written with its end. */
export interface Look { outcome: Outcome; patch: MachinePatch; events: NewEvent[]; row: MachineRow }

/**
 * One look at one machine: read what Fly shows, plan, do what the plan says and write each step back at once. It ends early when the wish
 * changed meanwhile. Throws LeaseLost when the row belongs to somebody else by now; every other error is an outcome.
 */
export async function reconcile(claimed: MachineRow, context: ReconcileContext, signal: AbortSignal): Promise<Look> {
  const whole = { read: false };
  const look = await lookAt(claimed, context, signal, whole);
  // lists may be read once a second, whichever replicas do it
  return whole.read && look.outcome.kind === 'requeue' ? { ...look, outcome: { kind: 'requeue', afterMs: Math.max(WHOLE_LOOK_MS, look.outcome.afterMs) } } : look;
}

/** Fly's limit for each list of each app. */
const WHOLE_LOOK_MS = 1_000;

async function lookAt(claimed: MachineRow, context: ReconcileContext, signal: AbortSignal, whole: { read: boolean }): Promise<Look> {
  let row = claimed;
  let doing: Deed | null = null;
  let announced = false;
  /** False: the rest of the steps is no longer wished. */
  const write = async (patch: MachinePatch, events: NewEvent[]): Promise<boolean> => {
    const generation = await context.database.record(row.id, row.fence, patch, events);
    if (generation === null) throw new LeaseLost();
    row = { ...row, ...patch, ...(patch.phase === undefined ? {} : { phase_since: new Date(context.now()).toISOString() }) };
    return generation === row.generation;
  };
  try {
    const wish = wishOf(row, context.contract);
    const seen = await observe(row, wish, { fly: context.fly, probe: context.probe, signal });
    whole.read = seen.volumes !== null;
    const made = plan(wish, seen, memoryOf(row), context.now());
    const { patch, events } = sighted(row, wish, seen, made, context);
    const deeds = made.actions.filter(isDeed);
    const end = outcomeOf(made.actions);
    // nothing to do: what was seen is written together with the end of the look
    if (deeds.length === 0) {
      const last = end.kind === 'done' ? settled({ ...row, ...patch }, wish, context) : { patch: {}, events: [] };
      return { outcome: end, patch: { ...patch, ...last.patch }, events: [...events, ...last.events], row };
    }
    let wished = Object.keys(patch).length > 0 || events.length > 0 ? await write(patch, events) : true;
    const learned: ActContext['learned'] = {};
    for (const deed of deeds) {
      if (!wished) return { outcome: { kind: 'requeue', afterMs: 0 }, patch: {}, events: [], row };
      doing = deed;
      // said before it is done: whoever goes on after this replica died looks at everything, and never starts another one beside it
      announced = deed.kind === 'create-machine' && row.doubt === null;
      if (announced && !(await write({ doubt: { kind: deed.kind, at: new Date(context.now()).toISOString() } }, []))) return { outcome: { kind: 'requeue', afterMs: 0 }, patch: { doubt: null }, events: [], row };
      const began = context.now();
      const done = await act(deed, { ...context, wish, row, signal, learned });
      const step: NewEvent = { kind: done.kind, message: done.message, data: { ...done.data, ms: context.now() - began } };
      // from here on it is Fly's and the machine's turn
      const starting = deed.kind === 'create-machine' ? phaseChange(row, 'booting', context.now()) : null;
      wished = await write({ ...done.patch, ...starting?.patch, ...(announced ? { doubt: null } : {}) }, [step, ...(starting?.events ?? [])]);
      doing = null;
    }
    const last = end.kind === 'done' ? settled(row, wish, context) : { patch: {}, events: [] };
    return { outcome: end, ...last, row };
  } catch (error) {
    if (error instanceof LeaseLost) throw error;
    const look = failed(error, doing, row, context, signal);
    // Fly said that it did not happen
    return announced && error instanceof FlyError && error.outcome === 'known' ? { ...look, patch: { ...look.patch, doubt: null } } : look;
  }
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
