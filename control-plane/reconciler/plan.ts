import type { MachinePhase, MachineSighting } from '@trademind/core';
import { lookDelay, type Action, type Memory, type Plan, type Trouble } from './actions.ts';
import { MINUTE, cellFor, isWedged } from './cells.ts';
import { impossible } from './impossible.ts';
import { planDestroy } from './plan-destroy.ts';
import { planMake } from './plan-make.ts';
import type { Seen, SeenMachine } from './seen.ts';
import type { Wish } from './wish.ts';

/** A machine made without `skip_launch` leaves `created` by itself; one that has not by then is told to start. */
const CREATED_GRACE = MINUTE;

const ALIVE: ReadonlySet<MachinePhase> = new Set(['starting', 'backfilling', 'screening', 'failed']);

/**
 * From what is wished, what is seen and the time to what must be done now. Pure and total; it remembers nothing between looks, so losing
 * any of them is harmless.
 */
export function plan(wish: Wish, seen: Seen, memory: Memory, now: number): Plan {
  if (wish.state === 'destroyed') return planDestroy(seen, now);
  if (seen.app === 'foreign') {
    return { sighting: 'broken', actions: [{ kind: 'give-up', trouble: {
      code: 'app_name_taken', message: `The Fly app ${wish.app} belongs to another organisation.`, nextStep: 'Ask the operator to change APP_NAME_KEY for new machines.',
    } }] };
  }
  const { current, others } = choose(wish, seen, memory);
  if (current === null) {
    if (wish.state === 'stopped' && others.length === 0) return { sighting: 'halted', detail: 'There is no machine at Fly, and none is wished to run.', actions: [{ kind: 'none' }] };
    return planMake(wish, seen, others, memory, now);
  }
  if (!current.hostOk) {
    return { sighting: wish.state === 'started' ? keep(memory) : 'halting', actions: [{ kind: 'back-off', trouble: {
      code: 'host_unreachable', message: 'The host of the machine cannot be reached by Fly.', nextStep: 'Nothing: it is looked at again until the host answers.',
    } }] };
  }
  return planFor(wish, seen, memory, now, current, others);
}

/** The machine that is meant by the wish, and all others that were made for it (another region, a duplicate). */
export function choose(wish: Wish, seen: Seen, memory: Memory): { current: SeenMachine | null; others: SeenMachine[] } {
  const ours = seen.machines.filter((machine) => machine.state !== 'destroyed' && (machine.owner === memory.machineId || machine.name.startsWith(wish.app)));
  const here = ours.filter((machine) => machine.region === wish.region);
  const current = here.find((machine) => machine.name === wish.machineName) ?? here[0] ?? null;
  return { current, others: ours.filter((machine) => machine !== current) };
}

function planFor(wish: Wish, seen: Seen, memory: Memory, now: number, machine: SeenMachine, others: SeenMachine[]): Plan {
  const stopping = wish.state === 'stopped';
  const cell = cellFor(machine.state, wish.state);
  switch (cell) {
    case 'launch':
      if (now - machine.since <= CREATED_GRACE) return { sighting: 'booting', detail: 'Fly has made the machine and is about to start it.', actions: [{ kind: 'wait', ms: lookDelay(now - machine.since) }] };
      return { sighting: 'booting', detail: 'Fly made the machine and did not start it: it is told to.', actions: [{ kind: 'start', machineId: machine.id }, { kind: 'wait', ms: 400 }] };
    case 'pass': {
      if (isWedged(machine, now)) {
        return { sighting: stopping ? 'halting' : 'broken', actions: [{ kind: 'back-off', trouble: {
          code: 'machine_wedged', message: `Fly has shown the machine as ${machine.word} for ${Math.round((now - machine.since) / MINUTE)} minutes.`,
          nextStep: 'It is looked at again; destroy and deploy it if this does not pass.',
        } }] };
      }
      return { sighting: stopping ? 'halting' : 'booting', detail: `Fly shows the machine as ${machine.word}.`, actions: [{ kind: 'wait', ms: lookDelay(Math.max(0, now - machine.since)) }] };
    }
    case 'verify': return planRunning(wish, seen, memory, now, machine, others);
    case 'start': return planStart(wish, memory, machine);
    case 'revive':
      return { sighting: 'broken', actions: [{ kind: 'start', machineId: machine.id }, { kind: 'back-off', trouble: exitTrouble(machine) }] };
    case 'stop':
      return { sighting: 'halting', detail: 'The machine finishes its work and stops.', actions: [{ kind: 'stop', machineId: machine.id, why: 'It is wished to be stopped' }, { kind: 'wait', ms: 400 }] };
    case 'rest': return { sighting: 'halted', detail: 'The machine is stopped.', actions: [...endOthers(others), { kind: 'none' }] };
    case 'destroy': return { sighting: 'ending', actions: [{ kind: 'destroy-machine', machineId: machine.id }, { kind: 'wait', ms: 300 }] };
    default: return impossible(cell);
  }
}

/** Fly says started: is it what was asked for, and does the machine itself say that it works? */
function planRunning(wish: Wish, seen: Seen, memory: Memory, now: number, machine: SeenMachine, others: SeenMachine[]): Plan {
  const why = difference(wish, machine);
  if (why !== null && machine.volumeId !== null) {
    const update: Action = { kind: 'update', machineId: machine.id, volumeId: machine.volumeId, why };
    if (machine.configHash !== wish.configHash) return { sighting: 'booting', detail: `${why}: the machine is updated and restarts.`, actions: [update, { kind: 'wait', ms: 400 }] };
    // it was asked for already, and what came back still differs: ask again, ever more rarely
    return { sighting: 'booting', actions: [update, { kind: 'back-off', trouble: { code: 'read_back_differs', message: `${why}, though Fly accepted the configuration.`, nextStep: 'It is sent again.' } }] };
  }
  const restarted = memory.instanceId !== null && machine.instanceId !== memory.instanceId;
  const said = !restarted && (memory.phase === 'backfilling' || memory.phase === 'screening') ? memory.phase : 'booting';
  const sighting = seen.ready === true ? 'screening' : said;
  if (sighting !== 'screening') {
    return { sighting, ...(sighting === 'booting' ? { detail: 'The machine runs; it has not said yet that it is ready.' } : {}), actions: [{ kind: 'wait', ms: lookDelay(Math.max(0, now - memory.phaseSince)) }] };
  }
  const spare = (seen.volumes ?? []).filter((volume) => volume.attachedTo === null && volume.id !== machine.volumeId);
  const tidy: Action[] = [...endOthers(others), ...(others.length > 0 ? [] : spare.map((volume): Action => ({ kind: 'delete-volume', volumeId: volume.id })))];
  return { sighting, actions: [...tidy, others.length > 0 ? { kind: 'wait', ms: 500 } : { kind: 'none' }] };
}

function planStart(wish: Wish, memory: Memory, machine: SeenMachine): Plan {
  // a wish that changed while it was stopped is sent now: an update launches it
  if (machine.configHash !== wish.configHash && machine.volumeId !== null) {
    return { sighting: 'booting', detail: 'The machine is updated and starts.', actions: [{ kind: 'update', machineId: machine.id, volumeId: machine.volumeId, why: 'The wish changed while it was stopped' }, { kind: 'wait', ms: 400 }] };
  }
  const start: Action = { kind: 'start', machineId: machine.id };
  const crashed = ALIVE.has(memory.phase) && machine.exit !== null && !machine.exit.requested && (machine.exit.oomKilled || (machine.exit.code ?? 0) !== 0);
  if (crashed) return { sighting: 'broken', actions: [start, { kind: 'back-off', trouble: exitTrouble(machine) }] };
  return { sighting: 'booting', detail: 'The machine starts.', actions: [start, { kind: 'wait', ms: 400 }] };
}

/** How what Fly shows differs from the wish, in words; null when it does not. */
export function difference(wish: Wish, machine: SeenMachine): string | null {
  if (machine.image !== wish.image) return 'Another image is wished';
  const size = machine.size;
  if (size !== null && (size.cpuKind !== wish.size.cpuKind || size.cpus !== wish.size.cpus || size.memoryMb !== wish.size.memoryMb)) return 'Another size is wished';
  return machine.configHash === wish.configHash ? null : 'Its configuration changed';
}

function exitTrouble(machine: SeenMachine): Trouble {
  const { exit } = machine;
  if (exit?.oomKilled) return { code: 'machine_out_of_memory', message: 'The machine ran out of memory.', nextStep: 'Give it more memory (PATCH size), or screen fewer symbols.' };
  return {
    code: 'machine_crashed',
    message: exit === null || exit.code === null ? `Fly shows the machine as ${machine.word}.` : `The machine ended with exit code ${exit.code}.`,
    nextStep: 'It is started again, ever later; its logs say why it ended.',
  };
}

const endOthers = (others: readonly SeenMachine[]): Action[] => others
  .filter((machine) => machine.state !== 'destroying')
  .map((machine) => ({ kind: 'destroy-machine', machineId: machine.id }));

/** The sighting that leaves the phase as it is, as far as one can. */
const keep = (memory: Memory): MachineSighting => (memory.phase === 'screening' || memory.phase === 'backfilling' ? memory.phase : 'booting');
