import * as z from 'zod/mini';

export const CPU_KINDS = ['shared', 'performance'] as const;

/** A machine's size as Fly counts it. */
export const MachineSize = z.strictObject({
  cpuKind: z.enum(CPU_KINDS),
  cpus: z.int().check(z.gte(1), z.lte(16)),
  memoryMb: z.int().check(z.gte(256), z.lte(131_072)),
});
export type MachineSize = z.infer<typeof MachineSize>;

export const DEFAULT_SIZE: MachineSize = { cpuKind: 'shared', cpus: 1, memoryMb: 512 };

const RULES = {
  shared: { cpus: [1, 2, 4, 6, 8], memoryPerCpuMb: [256, 2_048], stepMb: 256 },
  performance: { cpus: [1, 2, 4, 6, 8, 10, 12, 14, 16], memoryPerCpuMb: [2_048, 8_192], stepMb: 256 },
} as const;

/** Why Fly would refuse this size, or null when it is valid. Source: Fly's machine sizes (docs, 2026-10). */
export function sizeProblem(size: MachineSize): string | null {
  const rule = RULES[size.cpuKind];
  if (!(rule.cpus as readonly number[]).includes(size.cpus)) return `${size.cpuKind} machines have ${rule.cpus.join(', ')} vCPUs, not ${size.cpus}`;
  const [low, high] = rule.memoryPerCpuMb.map((mb) => mb * size.cpus) as [number, number];
  if (size.memoryMb < low || size.memoryMb > high) return `${size.cpuKind}-${size.cpus}x takes ${low} to ${high} MB, not ${size.memoryMb}`;
  if (size.memoryMb % rule.stepMb !== 0) return `memory comes in steps of ${rule.stepMb} MB`;
  return null;
}

/** The least and the most memory that a machine of these vCPUs takes, MB. */
export function memoryRange(cpuKind: MachineSize['cpuKind'], cpus: number): readonly [least: number, most: number] {
  const [low, high] = RULES[cpuKind].memoryPerCpuMb;
  return [low * cpus, high * cpus];
}

/** Memory is sold in steps of so many MB. */
export const MEMORY_STEP_MB = 256;

/**
 * What a vCPU may use of a core for long, and the seconds of full speed that it banks at most while it uses less. A machine's vCPUs share what
 * they have together. Source: Fly's docs on CPU performance (2026-10).
 */
export const CPU_TIME = { shared: { cores: 1 / 16, bankS: 500 }, performance: { cores: 1, bankS: 0 } } as const;

/** Cores that a machine of these vCPUs may use for long. */
export function coresOf({ cpuKind, cpus }: Pick<MachineSize, 'cpuKind' | 'cpus'>): number {
  return CPU_TIME[cpuKind].cores * cpus;
}

/** The vCPUs that a user's machine may have, 1 to 8, by what they give; with the same memory each costs more than the one before. */
export const CPU_LADDER: readonly Readonly<Pick<MachineSize, 'cpuKind' | 'cpus'>>[] = CPU_KINDS.flatMap((cpuKind) => RULES[cpuKind].cpus.filter((cpus) => cpus <= 8).map((cpus) => ({ cpuKind, cpus })));

/** Fly's name for a size, e.g. `shared-1x 512 MB`. */
export function sizeName(size: MachineSize): string {
  return `${size.cpuKind}-${size.cpus}x ${size.memoryMb} MB`;
}

/** Prices are dated data: US dollars per second in the base region, with a factor per region. */
export interface PriceTable {
  readAt: string;
  sharedCpu: number;
  performanceCpu: number;
  /** Per GB beyond what the vCPUs include. */
  extraGb: number;
  includedMbPerCpu: { shared: number; performance: number };
  volumeGbMonth: number;
  regionFactor: Readonly<Record<string, number>>;
}

/** Fly's list prices as read on 2026-10-09. */
export const FLY_PRICES: PriceTable = {
  readAt: '2026-10-09',
  sharedCpu: 0.0000008465,
  performanceCpu: 0.000012732,
  extraGb: 0.000002316,
  includedMbPerCpu: { shared: 256, performance: 2_048 },
  volumeGbMonth: 0.15,
  regionFactor: {
    iad: 1, ewr: 1, ams: 1.038, arn: 1.038, yyz: 1.115, lhr: 1.135, cdg: 1.135, fra: 1.154, sjc: 1.192, lax: 1.2,
    ord: 1.25, dfw: 1.25, sin: 1.269, syd: 1.269, jnb: 1.303, nrt: 1.308, gru: 1.615,
  },
};

/** Regions of Fly known to the price table; Binance refuses US addresses (HTTP 451), so those are marked. */
export const US_REGIONS: readonly string[] = ['iad', 'ewr', 'ord', 'dfw', 'lax', 'sjc'];
export const REGIONS: readonly string[] = Object.keys(FLY_PRICES.regionFactor);
export const DEFAULT_REGION = 'sin';

/** Price of a machine that runs for 30 days with one volume, in US dollars; null for a region without a known price. */
export function monthlyPrice(size: MachineSize, region: string, volumeGb = 1, prices: PriceTable = FLY_PRICES): number | null {
  const factor = prices.regionFactor[region];
  if (factor === undefined) return null;
  const extraMb = Math.max(0, size.memoryMb - prices.includedMbPerCpu[size.cpuKind] * size.cpus);
  const perSecond = size.cpus * (size.cpuKind === 'shared' ? prices.sharedCpu : prices.performanceCpu) + (extraMb / 1_024) * prices.extraGb;
  return perSecond * factor * 30 * 86_400 + volumeGb * prices.volumeGbMonth;
}

/** What a change of size costs, in US dollars for 30 days; null where the region's price is not known. */
export interface PriceForecast { fromUsd: number | null; toUsd: number | null; differenceUsd: number | null; pricesReadAt: string }

/** The price of a machine before and after a change of size, volume included. */
export function priceForecast(from: MachineSize, to: MachineSize, region: string, prices: PriceTable = FLY_PRICES): PriceForecast {
  const cents = (usd: number | null): number | null => (usd === null ? null : Math.round(usd * 100) / 100);
  const [before, after] = [monthlyPrice(from, region, 1, prices), monthlyPrice(to, region, 1, prices)];
  return { fromUsd: cents(before), toUsd: cents(after), differenceUsd: before === null || after === null ? null : cents(after - before), pricesReadAt: prices.readAt };
}
