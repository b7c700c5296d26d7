import { nextPhase, type MachineSighting } from '@trademind/core';
import type { MachinePatch, MachineRow, NewEvent } from '../database/rows.ts';
import { LeaseLost, act, patchOf, type ActContext, type Deed } from './act.ts';
import type { Action, Plan } from './actions.ts';
import { observe, type ObserveOptions } from './observe.ts';
import { outcomeOfError, type Outcome } from './outcome.ts';
import { machineUrl } from './names.ts';
import { choose, plan } from './plan.ts';
import type { Seen } from './seen.ts';
import { wishOf, type Wish } from './wish.ts';

export interface ReconcileContext extends Omit<ActContext, 'wish' | 'row' | 'signal' | 'learned' | 'database' | 'fly'> {
  fly: ActContext['fly'] & ObserveOptions['fly'];
  database: ActContext['database'] & { record(machineId: string, fence: number, patch: MachinePatch, events: readonly NewEvent[]): Promise<boolean> };
  probe: ObserveOptions['probe'];
  now: () => number;
}

/** How a look ended, and what is still to be written with its end. */
export interface Look { outcome: Outcome; patch: MachinePatch; events: NewEvent[]; row: MachineRow }

/**
 * One look at one machine: read what Fly shows, plan, do what the plan says and write each step back at once. Throws LeaseLost when the
 * row belongs to somebody else by now; every other error is an outcome.
 */
export async function reconcile(claimed: MachineRow, context: ReconcileContext, signal: AbortSignal): Promise<Look> {
  let row = claimed;
  const write = async (patch: MachinePatch, events: NewEvent[]) => {
    if (!(await context.database.record(row.id, row.fence, patch, events))) throw new LeaseLost();
    row = { ...row, ...patch, ...(patch.phase === undefined ? {} : { phase_since: new Date(context.now()).toISOString() }) };
  };
  try {
    const wish = wishOf(row, context.contract);
    const seen = await observe(row, wish, { fly: context.fly, probe: context.probe, signal });
    const made = plan(wish, seen, memoryOf(row), context.now());
    const { patch, events } = sighted(row, wish, seen, made, context);
    const deeds = made.actions.filter(isDeed);
    // nothing to do: what was seen is written together with the end of the look
    if (deeds.length === 0) return { outcome: outcomeOf(made.actions), patch, events, row };
    if (Object.keys(patch).length > 0 || events.length > 0) await write(patch, events);
    const learned: ActContext['learned'] = {};
    for (const deed of deeds) {
      const began = context.now();
      const done = await act(deed, { ...context, wish, row, signal, learned });
      const step: NewEvent = { kind: done.kind, message: done.message, data: { ...done.data, ms: context.now() - began } };
      // from here on it is Fly's and the machine's turn
      const starting = deed.kind === 'create-machine' ? phaseChange(row, 'booting', context.now()) : null;
      await write({ ...done.patch, ...starting?.patch }, [step, ...(starting?.events ?? [])]);
    }
    return { outcome: outcomeOf(made.actions), patch: {}, events: [], row };
  } catch (error) {
    if (error instanceof LeaseLost) throw error;
    if (signal.aborted) return { outcome: { kind: 'requeue', afterMs: 0 }, patch: {}, events: [], row };
    const outcome = outcomeOfError(error);
    const patch: MachinePatch = outcome.kind === 'terminal' ? { phase: nextPhase(row.phase, 'broken'), phase_detail: outcome.trouble.message } : {};
    return { outcome, patch, events: [], row };
  }
}

const memoryOf = (row: MachineRow) => ({
  machineId: row.id, phase: row.phase, phaseSince: Date.parse(row.phase_since), instanceId: row.fly_instance_id, everMade: row.fly_machine_id !== null,
});

/** What was seen, as changes of the row; a new phase is told as an event with the time the old one took. */
function sighted(row: MachineRow, wish: Wish, seen: Seen, made: Plan, { contract, now }: Pick<ReconcileContext, 'contract' | 'now'>): { patch: MachinePatch; events: NewEvent[] } {
  const { current } = choose(wish, seen, { ...memoryOf(row) });
  const said: MachinePatch = made.sighting === 'gone' ? GONE : {
    // what an answer that was lost would have told is learned here
    ...(seen.app === 'ours' ? { fly_app: wish.app, url: machineUrl(contract.urlTemplate, wish.app) } : {}),
    ...(current === null ? {} : patchOf(current)),
  };
  const phase = nextPhase(row.phase, made.sighting);
  const change = phaseChange(row, made.sighting, now());
  const patch: MachinePatch = {
    ...said,
    ...change.patch,
    // words about the phase before say nothing about this one
    ...(made.detail === undefined && phase === row.phase ? {} : { phase_detail: made.detail ?? null }),
  };
  const found: NewEvent[] = current !== null && row.fly_machine_id === null && wish.state !== 'destroyed'
    ? [{ kind: 'machine.adopted', message: `The machine ${current.id} was found in ${current.region}: an earlier request had made it, and its answer was lost.`, data: { machine: current.id } }] : [];
  return { patch: changed(row, patch), events: [...found, ...change.events] };
}

function phaseChange(row: MachineRow, sighting: MachineSighting, now: number): { patch: MachinePatch; events: NewEvent[] } {
  const phase = nextPhase(row.phase, sighting);
  if (phase === row.phase) return { patch: {}, events: [] };
  return {
    patch: { phase },
    events: [{ kind: 'phase', message: PHASE_SENTENCE[phase], data: { from: row.phase, to: phase, ms: Math.max(0, now - Date.parse(row.phase_since)) } }],
  };
}

const GONE: MachinePatch = { fly_machine_id: null, fly_volume_id: null, fly_instance_id: null, fly_state: null, fly_app: null, url: null };

const PHASE_SENTENCE: Readonly<Record<MachineRow['phase'], string>> = {
  requested: 'A machine was requested.',
  creating: 'The machine is being made.',
  starting: 'The machine is starting.',
  backfilling: 'The machine is loading the history of its markets.',
  screening: 'The machine is screening the market.',
  stopping: 'The machine is stopping.',
  stopped: 'The machine is stopped.',
  failed: 'The machine does not run.',
  destroying: 'The machine is being destroyed.',
  destroyed: 'App, machine and volume are gone.',
};

function changed(row: MachineRow, patch: MachinePatch): MachinePatch {
  return Object.fromEntries(Object.entries(patch).filter(([key, value]) => row[key as keyof MachinePatch] !== value)) as MachinePatch;
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
