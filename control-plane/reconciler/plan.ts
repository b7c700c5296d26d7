import { nextPhase, type MachineSighting } from '@trademind/core';
import { lookDelay, type Action, type Memory, type Plan } from './actions.ts';
import { bootFailure, exitTrouble } from './boot.ts';
import { MINUTE, cellFor, isLost } from './cells.ts';
import { impossible } from './impossible.ts';
import { planDestroy } from './plan-destroy.ts';
import { planMake } from './plan-make.ts';
import { CREATED_GRACE, difference, endOthers, mayRun, planRunning, planStart, spareVolumes, stopOthers } from './plan-run.ts';
import { isCrash, type Seen, type SeenMachine } from './seen.ts';
import type { Wish } from './wish.ts';

/**
 * From what is wished, what is seen and the time to what must be done now. Pure and total; it remembers nothing between looks, so losing
 * any of them is harmless.
 */
export function plan(wish: Wish, seen: Seen, memory: Memory, now: number): Plan {
  const made = toldWhenLong(planWish(wish, seen, memory, now), memory, now);
  const { failure } = wish;
  // nothing is left to do, and yet it is not what was wished: somebody must know
  if (failure === null || wish.state === 'destroyed' || made.actions.at(-1)?.kind !== 'none') return made;
  return { ...made, sighting: wish.state === 'stopped' && made.sighting === 'halted' ? 'broken' : made.sighting, actions: [...made.actions.slice(0, -1), { kind: 'give-up', trouble: {
    code: failure.code, message: failure.message, ...(failure.nextStep === undefined ? {} : { nextStep: failure.nextStep }),
  } }] };
}

/** Longer than this nothing is waited for without a word: each state that does not pass has an answer of its own before. */
const LONG = 15 * MINUTE;
const LONG_BACKFILL = 60 * MINUTE;
/** What changes what the next look goes by, and is told by itself. */
const PROGRESS: ReadonlySet<Action['kind']> = new Set(['create-machine', 'give-up-version', 'replace-machine']);

/** Whoever only looks again and again tells nobody. A drain ends by itself. */
function toldWhenLong(made: Plan, memory: Memory, now: number): Plan {
  const patience = memory.phase === 'backfilling' ? LONG_BACKFILL : LONG;
  const waits = made.actions.at(-1)?.kind === 'wait' && nextPhase(memory.phase, made.sighting) === memory.phase && memory.drain.askedMs === null;
  if (!waits || now - Math.max(memory.phaseSince, memory.wishedAt) <= patience || made.actions.some(({ kind }) => kind === 'drain' || PROGRESS.has(kind))) return made;
  return { ...made, actions: [...made.actions.slice(0, -1), { kind: 'back-off', trouble: {
    code: 'takes_long', message: `This takes longer than it should. ${made.detail ?? `The machine is ${memory.phase}.`}`, nextStep: 'It is looked at again, ever later; restart it, or destroy and deploy it, if this does not pass.',
  } }] };
}

function planWish(wish: Wish, seen: Seen, memory: Memory, now: number): Plan {
  if (wish.state === 'destroyed') return planDestroy(wish, seen, memory, now);
  if (seen.app === 'foreign') {
    return { sighting: 'broken', actions: [{ kind: 'give-up', trouble: {
      code: 'app_name_taken', message: `The Fly app ${wish.app} belongs to another organisation.`, nextStep: 'Ask the operator to change APP_NAME_KEY for new machines.',
    } }] };
  }
  const { current, others } = choose(wish, seen, memory, now);
  if (current !== null) return planFor(wish, seen, memory, now, current, others);
  if (wish.state === 'stopped' && others.length === 0) return { sighting: 'halted', detail: 'There is no machine at Fly, and none is wished to run.', actions: [{ kind: 'none' }] };
  if (wish.refused && wish.state === 'started') {
    return { sighting: 'broken', actions: [{ kind: 'give-up', trouble: {
      code: 'region_refused', message: `A machine in ${wish.region} would see no market: Binance answers HTTP 451 to addresses in the United States.`, nextStep: 'Choose a region outside of the United States (PATCH region).',
    } }] };
  }
  return planMake(wish, seen, others, memory, now);
}

/**
 * The machine that is meant by the wish, and all others of the user's app (another region, a duplicate, one that was given up): an app is one user's alone. One without a volume
 * (taken over from elsewhere) cannot keep what must survive: it is replaced like one that stands elsewhere.
 */
export function choose(wish: Wish, seen: Seen, memory: Memory, now: number): { current: SeenMachine | null; others: SeenMachine[] } {
  const ours = seen.machines.filter((machine) => machine.state !== 'destroyed');
  const here = ours.filter((machine) => machine.region === wish.region && (machine.volumeId !== null || !machine.hostOk || wish.state !== 'started'));
  const current = here.find((machine) => machine.name === wish.machineName)
    ?? here.find((machine) => machine.id === memory.flyMachineId)
    ?? here.find((machine) => machine.hostOk && machine.state !== 'destroying' && !isLost(machine, memory.unreachableSince, now))
    ?? null;
  return { current, others: ours.filter((machine) => machine !== current) };
}

function planFor(wish: Wish, seen: Seen, memory: Memory, now: number, machine: SeenMachine, others: SeenMachine[]): Plan {
  const stopping = wish.state === 'stopped';
  const passing: MachineSighting = stopping ? 'halting' : 'booting';
  const awake = others.filter((other) => mayRun(other, now) && !isLost(other, memory.unreachableSince, now));
  if (awake.length > 0) {
    // two machines of one user never run together for longer than it takes to see it
    return { sighting: stopping ? 'halting' : machine.state === 'started' ? keep(memory) : 'booting', detail: 'Another machine of the same user is stopped first.', actions: [
      ...stopOthers(awake, 'Another machine is the one that is wished', now),
      { kind: 'wait', ms: lookDelay(Math.max(0, now - memory.phaseSince)) },
    ] };
  }
  // what worked before all were given something else is not at fault: there is no version to go back to
  if (wish.state === 'started' && wish.failure === null && !wish.proven && wish.before === null && machine.hostOk && machine.configHash === wish.configHash) {
    const trouble = bootFailure(machine, memory, now);
    if (trouble !== null) return { sighting: 'broken', actions: [{ kind: 'give-up-version', trouble, exit: machine.exit }, { kind: 'wait', ms: 0 }] };
  }
  const minutes = Math.round((now - machine.since) / MINUTE);
  const cell = cellFor(machine, wish.state, memory.unreachableSince, now);
  switch (cell) {
    case 'launch':
      if (now - machine.since <= CREATED_GRACE) return { sighting: 'booting', detail: 'Fly has made the machine and is about to start it.', actions: [{ kind: 'wait', ms: lookDelay(Math.max(0, now - machine.since)) }] };
      return { sighting: 'booting', detail: 'Fly made the machine and did not start it: it is told to.', actions: [{ kind: 'start', machineId: machine.id }, { kind: 'wait', ms: 400 }] };
    case 'pass':
      // it never gets further than this: Fly starts again and again what ends at once
      if (wish.state === 'started' && machine.state === 'starting' && machine.exit !== null && isCrash(machine.exit) && difference(wish, machine) !== null) return planStart(wish, memory, machine);
      return { sighting: passing, detail: `Fly shows the machine as ${machine.word}.`, actions: [{ kind: 'wait', ms: lookDelay(Math.max(0, now - machine.since)) }] };
    case 'verify': return planRunning(wish, seen, memory, now, machine, others);
    case 'start': return planStart(wish, memory, machine);
    case 'revive':
      return { sighting: 'broken', actions: [{ kind: 'start', machineId: machine.id }, { kind: 'back-off', trouble: exitTrouble(machine) }] };
    case 'stop':
      return { sighting: 'halting', detail: 'The machine finishes its work and stops.', actions: [{ kind: 'stop', machineId: machine.id, why: 'It is wished to be stopped', force: false }, { kind: 'wait', ms: 400 }] };
    case 'rest':
      if (mayRun(machine, now)) return { sighting: 'halting', detail: 'Fly has made the machine and is about to start it; then it is stopped.', actions: [{ kind: 'wait', ms: lookDelay(Math.max(0, now - machine.since)) }] };
      // one that was never ready does not replace the one before
      return { sighting: 'halted', detail: 'The machine is stopped.', actions: [...(wish.proven || wish.failure !== null ? [...endOthers(others), ...spareVolumes(seen, machine, others)] : []), { kind: 'none' }] };
    case 'leave': return { sighting: 'halted', detail: `Fly has shown the machine as ${machine.word} for ${minutes} minutes; another is made when it is to run.`, actions: [{ kind: 'none' }] };
    case 'destroy': return { sighting: 'ending', actions: [{ kind: 'destroy-machine', machineId: machine.id }, { kind: 'wait', ms: 300 }] };
    case 'force':
      return { sighting: stopping ? 'halting' : 'broken', actions: [{ kind: 'stop', machineId: machine.id, why: `Fly has shown it as ${machine.word} for ${minutes} minutes`, force: true }, { kind: 'back-off', trouble: {
        code: 'machine_wedged', message: `Fly has shown the machine as ${machine.word} for ${minutes} minutes.`, nextStep: 'Nothing: it is stopped by force, and replaced if that does not help.',
      } }] };
    case 'replace': return replace(machine, minutes);
    case 'watch':
      return machine.hostOk
        ? { sighting: stopping ? 'halting' : 'broken', actions: [{ kind: 'back-off', trouble: {
          code: 'machine_wedged', message: `Fly has shown the machine as ${machine.word} for ${minutes} minutes.`, nextStep: 'It is looked at again; destroy and deploy it if this does not pass.',
        } }] }
        : { sighting: stopping ? 'halting' : keep(memory), actions: [{ kind: 'back-off', trouble: {
          code: 'host_unreachable', message: 'The host of the machine cannot be reached by Fly.', nextStep: 'Nothing: if the host stays away for 10 minutes, another machine is made.',
        } }] };
    default: return impossible(cell);
  }
}

function replace(machine: SeenMachine, minutes: number): Plan {
  const why = machine.hostOk
    ? `Fly has shown it as ${machine.word} for ${minutes} minutes`
    : 'Its host has been away for 10 minutes: what only its volume held is screened again, and orders are compared with the exchange';
  return { sighting: 'building', detail: 'Another machine is made in its place.', actions: [{ kind: 'replace-machine', machineId: machine.id, why }, { kind: 'wait', ms: 300 }] };
}

/** The sighting that leaves the phase as it is, as far as one can. */
const keep = (memory: Memory): MachineSighting => (memory.phase === 'screening' || memory.phase === 'backfilling' ? memory.phase : 'booting');

