import { CPU_KINDS, DEFAULT_SIZE, monthlyPrice, sizeProblem, TradeMindError, type MachineSize } from '@trademind/core';

/** Sizes that are offered; any that Fly has may be given by name. */
export const OFFERED_SIZES: readonly MachineSize[] = [
  DEFAULT_SIZE,
  { cpuKind: 'shared', cpus: 1, memoryMb: 1_024 },
  { cpuKind: 'shared', cpus: 2, memoryMb: 1_024 },
  { cpuKind: 'shared', cpus: 4, memoryMb: 2_048 },
  { cpuKind: 'performance', cpus: 1, memoryMb: 2_048 },
  { cpuKind: 'performance', cpus: 2, memoryMb: 4_096 },
];

/** `shared-1x-512`: kind, vCPUs, memory in MB. */
export function sizeText({ cpuKind, cpus, memoryMb }: MachineSize): string {
  return `${cpuKind}-${cpus}x-${memoryMb}`;
}

/** Reads `shared-1x-512`. Throws `usage` with what Fly has. */
export function parseSize(text: string): MachineSize {
  const parts = /^([a-z]+)-(\d+)x-(\d+)$/.exec(text);
  const size = { cpuKind: parts?.[1] as MachineSize['cpuKind'], cpus: Number(parts?.[2]), memoryMb: Number(parts?.[3]) };
  const wrong = parts && CPU_KINDS.includes(size.cpuKind) ? sizeProblem(size) : 'it is written kind-vCPUs-memory';
  if (wrong === null) return size;
  throw new TradeMindError({ code: 'usage', field: '--size', message: `--size ${text}: ${wrong}.`, nextStep: `For example: ${OFFERED_SIZES.slice(0, 4).map(sizeText).join(', ')}.` });
}

/** What it costs to run for a month, volume included: `$4.46 a month`. */
export function priceText(size: MachineSize, region: string): string {
  const price = monthlyPrice(size, region);
  return price === null ? 'price not known' : `$${price.toFixed(2)} a month`;
}
