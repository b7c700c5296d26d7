import {
  CPU_LADDER, CPU_TIME, HEALTH_MEASURES, MEMORY_STEP_MB, SCALE_POLICIES, coresOf, memoryRange, priceForecast, readingInWords, sizeName, termsProblem, type MachineSize, type ScaleEvidence, type ScaleReason, type ScaleRequest, type ScaleTerms,
} from '@trademind/core';
import { evidenceOf, fallsBehind, type Load } from './load.ts';

/** Memory of a machine that is not the process's: kernel, init, page tables. */
const SYSTEM_MB = 64;
/** How full of memory a machine may be; as for CPU time, see SCALE_POLICIES. */
const MEMORY = { full: 0.9, target: 0.75, calm: 0.6 } as const;
/** A restart is not worth less than this a month. */
const LEAST_SAVING_USD = 1;

export interface PlanInput {
  readonly terms: ScaleTerms;
  /** The last five minutes; undefined while too little was measured. */
  readonly lately: Load | undefined;
  /** The busiest five minutes of the last hour; undefined while too little was measured. */
  readonly busiest: Load | undefined;
  /** Memory (MB) that lately proved too little. */
  readonly outOfMemoryMb: number | null;
  /** Wall time, ms: the time that the evidence is of. */
  readonly epoch: number;
}

export type SizePlan =
  | { readonly kind: 'unknown' | 'fits'; readonly sentence: string }
  /** More is wanted than the user allows. */
  | { readonly kind: 'capped'; readonly sentence: string; readonly evidence: ScaleEvidence }
  | { readonly kind: 'up' | 'down'; readonly request: ScaleRequest };

/** What is wanted of one resource, and why; `up` and `down` where the machine should have more or less of it than now. */
interface Wish { readonly amount: number; readonly way: 'up' | 'hold' | 'down'; readonly reasons: readonly ScaleReason[] }

/**
 * The size that a machine's load wants: the least of what can be bought, within the user's bounds and budget. Pure. More is asked for when the
 * last minutes were too much, less when the busiest of a whole hour would leave a smaller machine calm. CPU time and memory are judged apart;
 * but while CPU time is wanting no memory is given up: what could not be done yet has not shown what it needs.
 */
export function planSize(input: PlanInput): SizePlan {
  const { terms, lately, busiest, outOfMemoryMb, epoch } = input;
  const { size } = terms;
  if (lately === undefined) return { kind: 'unknown', sentence: 'Too little was measured yet to judge the size: five minutes of screening are needed.' };
  const cpu = cpuWish(terms, lately, busiest);
  const memory = memoryWish(size, lately, busiest, outOfMemoryMb);
  const more = cpu.way === 'up' || memory.way === 'up';
  const keepsMemory = cpu.way === 'up' && memory.way === 'down';
  const cores = cpu.amount;
  const memoryMb = keepsMemory ? Math.max(memory.amount, Math.min(size.memoryMb, heldBy(leastWith(cores, memory.amount, terms)))) : memory.amount;

  const wanted = leastWith(cores, memoryMb, terms);
  const outside = termsProblem(size, terms);
  const allowed = termsProblem(wanted, terms) === null ? wanted : affordable(wanted, { cores, memoryMb }, terms, outside !== null);
  const reasons: ScaleReason[] = [...(outside === null ? [] : [{ code: 'outside_bounds' as const, sentence: outside }]), ...cpu.reasons, ...(keepsMemory ? [] : memory.reasons)];
  const evidence = evidenceOf(more || busiest === undefined ? lately : busiest, coresOf(size), outOfMemoryMb, epoch);
  // Everything beyond the bounds was left out above; what is wanting all the same must be said.
  const short = (more || outside !== null) && (allowed === undefined || coresOf(allowed) < cores - 1e-9 || allowed.memoryMb < memoryMb);
  const allReasons = reasons.map(({ sentence }) => sentence).join(' ');

  if (allowed === undefined || same(allowed, size)) {
    if (!short) return { kind: 'fits', sentence: `${sizeName(size)} suits the load: ${used(lately, size)}.` };
    return { kind: 'capped', evidence, sentence: `The load wants more than ${sizeName(size)}, and the bounds or the budget do not allow it. ${allReasons}` };
  }
  const price = priceForecast(size, allowed, terms.region);
  const direction = coresOf(allowed) > coresOf(size) || allowed.memoryMb > size.memoryMb ? 'up' : 'down';
  const sentence = `${sizeName(allowed)} instead of ${sizeName(size)}: ${allReasons}${short ? ' More would be better still, but the bounds or the budget do not allow it.' : ''}${priceWords(price)}`;
  return { kind: direction, request: { generation: terms.generation, from: size, to: allowed, direction, reasons, sentence, evidence, price } };
}

function cpuWish({ size, policy: name, region }: ScaleTerms, lately: Load, busiest: Load | undefined): Wish {
  const policy = SCALE_POLICIES[name];
  const given = coresOf(size);
  const demand = lately.cpuCores + lately.deniedCores;
  const behind = fallsBehind(lately);
  if (demand >= given * (behind === null ? policy.full : policy.pressed)) {
    const reasons: ScaleReason[] = [{ code: 'cpu_full', sentence: `It needs ${coresInWords(demand)} of CPU, and ${kindName(size)} gives ${coresInWords(given)} for long${bankWords(size, demand)}.` }];
    if (behind !== null) reasons.push({ code: 'falls_behind', sentence: behindWords(behind, lately) });
    // Who falls behind needs more than the figures say: what was never done was never measured.
    return { way: 'up', amount: demand / (behind === null ? policy.target : policy.calm), reasons };
  }
  if (busiest === undefined || behind !== null || fallsBehind(busiest) !== null) return { way: 'hold', amount: given, reasons: [] };
  const peak = busiest.cpuCores + busiest.deniedCores;
  const enough = CPU_LADDER.find((rung) => coresOf(rung) >= peak / policy.calm);
  if (enough === undefined || coresOf(enough) >= given || savingOf(size, enough, region) < LEAST_SAVING_USD) return { way: 'hold', amount: given, reasons: [] };
  return { way: 'down', amount: coresOf(enough), reasons: [{ code: 'cpu_idle', sentence: `In its busiest minutes of an hour it needed ${coresInWords(peak)} of CPU, and ${kindName(size)} gives ${coresInWords(given)}.` }] };
}

/** What fewer vCPUs save a month, memory as it is. */
function savingOf(size: MachineSize, { cpuKind, cpus }: Pick<MachineSize, 'cpuKind' | 'cpus'>, region: string): number {
  const [least, most] = memoryRange(cpuKind, cpus);
  return -(priceForecast(size, { cpuKind, cpus, memoryMb: Math.min(Math.max(size.memoryMb, least), most) }, region).differenceUsd ?? 0);
}

function memoryWish(size: MachineSize, lately: Load, busiest: Load | undefined, outOfMemoryMb: number | null): Wish {
  const needed = (load: Load): number => Math.max(load.rssMb + SYSTEM_MB, outOfMemoryMb ?? 0);
  const steps = (mb: number): number => Math.ceil(mb / MEMORY_STEP_MB) * MEMORY_STEP_MB;
  const need = needed(lately);
  if (need >= size.memoryMb * MEMORY.full) {
    const ranOut = outOfMemoryMb !== null && outOfMemoryMb >= lately.rssMb + SYSTEM_MB;
    return { way: 'up', amount: steps(need / MEMORY.target), reasons: [ranOut
      ? { code: 'out_of_memory', sentence: `It ran out of memory with ${outOfMemoryMb} MB.` }
      : { code: 'memory_full', sentence: `It needs ${Math.round(need)} of ${size.memoryMb} MB of memory.` }] };
  }
  const calm = busiest === undefined ? Number.POSITIVE_INFINITY : steps(needed(busiest) / MEMORY.calm);
  if (calm >= size.memoryMb) return { way: 'hold', amount: size.memoryMb, reasons: [] };
  return { way: 'down', amount: calm, reasons: [{ code: 'memory_idle', sentence: `It needed ${Math.round(needed(busiest!))} of ${size.memoryMb} MB of memory at most.` }] };
}

/** The least size within the bounds that gives so much, or the most that the bounds allow. */
function leastWith(cores: number, memoryMb: number, { bounds: { smallest, largest } }: ScaleTerms): MachineSize {
  const clamp = (value: number, low: number, high: number): number => Math.min(Math.max(value, low), high);
  const wantedCores = clamp(cores, coresOf(smallest), coresOf(largest));
  const wantedMb = clamp(memoryMb, smallest.memoryMb, largest.memoryMb);
  const rung = CPU_LADDER.find(({ cpuKind, cpus }) => coresOf({ cpuKind, cpus }) >= wantedCores - 1e-9 && memoryRange(cpuKind, cpus)[1] >= wantedMb) ?? largest;
  return { cpuKind: rung.cpuKind, cpus: rung.cpus, memoryMb: Math.max(wantedMb, memoryRange(rung.cpuKind, rung.cpus)[0]) };
}

/** Memory that these vCPUs and all larger ones can hold: so much may be kept without being forced to even more vCPUs. */
function heldBy({ cpuKind, cpus }: MachineSize): number {
  return Math.min(...CPU_LADDER.filter((rung) => coresOf(rung) >= coresOf({ cpuKind, cpus })).map((rung) => memoryRange(rung.cpuKind, rung.cpus)[1]));
}

/**
 * The best that the budget allows below what is wanted: memory first, for without it a machine dies, while without CPU time it is late. It never
 * takes away what the machine needs of what it has, unless that is more than is allowed itself. undefined: nothing better is to be had.
 */
function affordable(wanted: MachineSize, wish: { cores: number; memoryMb: number }, terms: ScaleTerms, mayTakeAway: boolean): MachineSize | undefined {
  const { size, bounds: { smallest } } = terms;
  const [leastCores, leastMb] = mayTakeAway ? [0, smallest.memoryMb] : [Math.min(coresOf(size), wish.cores), Math.min(size.memoryMb, wish.memoryMb)];
  const held = CPU_LADDER.filter((rung) => coresOf(rung) >= leastCores);
  // The least that gives enough CPU time, else the most there is.
  const rungs = [...held.filter((rung) => coresOf(rung) >= wish.cores), ...held.filter((rung) => coresOf(rung) < wish.cores).toReversed()];
  for (let memoryMb = Math.max(leastMb, Math.min(wish.memoryMb, wanted.memoryMb)); memoryMb >= leastMb; memoryMb -= MEMORY_STEP_MB) {
    const best = rungs.map(({ cpuKind, cpus }) => ({ cpuKind, cpus, memoryMb: Math.max(memoryMb, memoryRange(cpuKind, cpus)[0]) })).find((one) => termsProblem(one, terms) === null);
    if (best !== undefined) return best;
  }
  return undefined;
}

const same = (a: MachineSize, b: MachineSize): boolean => a.cpuKind === b.cpuKind && a.cpus === b.cpus && a.memoryMb === b.memoryMb;
const kindName = ({ cpuKind, cpus }: MachineSize): string => `${cpuKind}-${cpus}x`;
const coresInWords = (cores: number): string => (cores >= 0.995 ? `${Number(cores.toFixed(2))} ${cores < 1.005 ? 'core' : 'cores'}` : `${Number((cores * 100).toPrecision(2))} % of a core`);
const used = ({ cpuCores, deniedCores, rssMb }: Load, size: MachineSize): string => `it needs ${coresInWords(cpuCores + deniedCores)} of the ${coresInWords(coresOf(size))} that it may use for long, and ${Math.round(rssMb + SYSTEM_MB)} of ${size.memoryMb} MB`;

/** A shared vCPU goes on at full speed for a while on what it has banked: then it is throttled. */
function bankWords(size: MachineSize, demand: number): string {
  const bank = CPU_TIME[size.cpuKind].bankS * size.cpus;
  const over = demand - coresOf(size);
  return bank > 0 && over > 0 ? `; what it has banked lasts ${readingInWords((bank / over) * 1_000, 'ms')} at most` : '';
}

function behindWords(measure: string, load: Load): string {
  const known = measure as keyof typeof HEALTH_MEASURES & keyof Load;
  const { means, unit } = HEALTH_MEASURES[known];
  return means(readingInWords(load[known], unit));
}

function priceWords({ fromUsd, toUsd, differenceUsd, pricesReadAt }: ScaleRequest['price']): string {
  if (fromUsd === null || toUsd === null || differenceUsd === null) return ' Its price in this region is not known.';
  return ` It costs $${toUsd.toFixed(2)} a month instead of $${fromUsd.toFixed(2)} (${differenceUsd < 0 ? '−' : '+'}$${Math.abs(differenceUsd).toFixed(2)}; prices of ${pricesReadAt}).`;
}
