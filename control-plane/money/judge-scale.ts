import {
  CPU_LADDER, SCALE_COOLDOWN_MS, ScaleSettings, isReachable, memoryRange, sizeName, termsProblem, type MachineSize, type ScaleAnswer, type ScaleRequest, type ScaleTerms,
} from '@trademind/core';
import type { ScaleFacts } from '../database/machine.ts';

const COOLDOWN_S = SCALE_COOLDOWN_MS / 1_000;
const BUSY_RETRY_S = 60;
const SMALLEST: MachineSize = { cpuKind: 'shared', cpus: 1, memoryMb: 256 };

/** What a machine may become: by its user's settings, within what plan and budget leave. Settings that cannot be read, or that ask for more than the plan has, count as none. */
export function termsOf(facts: ScaleFacts): ScaleTerms {
  const settings = ScaleSettings.safeParse(facts.scaling);
  const { automatic, policy, bounds }: ScaleSettings = settings.success ? settings.data : { automatic: false, policy: 'balanced' };
  const allowed = bounds !== undefined && bounds.largest.cpus <= facts.vcpus_left && (facts.performance || bounds.largest.cpuKind === 'shared');
  return {
    size: sizeOf(facts), region: facts.region, generation: facts.generation, automatic, policy,
    bounds: allowed ? bounds : { smallest: SMALLEST, largest: largestShared(facts.vcpus_left) },
    budgetUsd: facts.budget_left_usd === null ? null : Math.max(0.01, facts.budget_left_usd),
  };
}

/**
 * The answer to a machine that asks for another size: `accepted` when nothing stands against it now; then the database has the last word, for it alone sees what others ask at the same time. What the machine says of
 * prices is not believed: they are computed here. Pure.
 */
export function judgeScale(request: ScaleRequest, facts: ScaleFacts): ScaleAnswer {
  const terms = termsOf(facts);
  const refused = (code: string, message: string): ScaleAnswer => ({ decision: 'refused', code, message });
  const deferred = (code: string, message: string, retryAfterS: number): ScaleAnswer => ({ decision: 'deferred', code, message, retryAfterS });

  if (facts.desired_state !== 'started') return refused('not_wished', 'The machine is not meant to run.');
  if (request.generation !== facts.generation) return refused('generation_changed', `The wish for this machine is at generation ${facts.generation}, not ${request.generation}.`);
  if (!terms.automatic) return refused('not_automatic', 'The size is changed by the user alone. It can be left to the machine in the settings.');
  if (!isSame(request.from, terms.size)) return refused('size_changed', `The machine's size is ${sizeName(terms.size)}, not ${sizeName(request.from)}.`);
  if (isSame(request.to, terms.size)) return refused('same_size', `The machine has ${sizeName(terms.size)} already.`);
  const beyond = termsProblem(request.to, { ...terms, budgetUsd: null });
  if (beyond !== null) return refused('beyond_bounds', beyond);
  const dear = termsProblem(request.to, terms);
  if (dear !== null) return refused('beyond_budget', dear);
  if (facts.since_scaled_s !== null && facts.since_scaled_s < COOLDOWN_S) {
    return deferred('cooling_down', 'The size was changed a short while ago, and each change restarts the machine.', Math.max(1, Math.ceil(COOLDOWN_S - facts.since_scaled_s)));
  }
  if (facts.observed_generation < facts.generation || !isReachable(facts.phase)) return deferred('machine_busy', `The machine is ${facts.phase}: one change at a time.`, BUSY_RETRY_S);
  return { decision: 'accepted', code: 'accepted', message: `The machine becomes ${sizeName(request.to)}; it drains first and restarts just after a candle has closed.` };
}

const sizeOf = ({ cpu_kind: cpuKind, cpus, memory_mb: memoryMb }: ScaleFacts): MachineSize => ({ cpuKind, cpus, memoryMb });
const isSame = (a: MachineSize, b: MachineSize): boolean => a.cpuKind === b.cpuKind && a.cpus === b.cpus && a.memoryMb === b.memoryMb;

/** The largest shared size of at most so many vCPUs. */
function largestShared(vcpus: number): MachineSize {
  const { cpus } = CPU_LADDER.findLast((rung) => rung.cpuKind === 'shared' && rung.cpus <= vcpus) ?? SMALLEST;
  return { cpuKind: 'shared', cpus, memoryMb: memoryRange('shared', cpus)[1] };
}
