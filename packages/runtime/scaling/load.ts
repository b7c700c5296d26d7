import { HEALTH_MEASURES, type ScaleEvidence } from '@trademind/core';

/** What one look at a machine showed of its load. Absolute figures where there are such, so that the same load reads the same on every size. */
export interface LoadSample {
  /** When the look ended (monotonic ms), and over how long it went. */
  readonly at: number;
  readonly overMs: number;
  /** CPU used, and wanted but withheld by the host, in cores. */
  readonly cpuCores: number;
  readonly deniedCores: number;
  readonly rssMb: number;
  readonly passShare: number;
  readonly workerUse: number;
  readonly candleLagMs: number;
  readonly loopDelayMs: number;
  readonly tradersShed: number;
}

/** Load of a stretch of time. */
export interface Load extends Omit<LoadSample, 'at'> { readonly samples: number }

/** More is asked for on this much evidence, less on the busiest such stretch of a whole hour. */
export const SLICE_MS = 300_000;
export const CALM_MS = 3_600_000;
/** A stretch of which less was measured says nothing. */
const COVERED = 0.8;
const LEAST_SAMPLES = 5;

/** The load of the last five minutes; undefined while too little was measured of them. Means, but for memory: there the peak counts. */
export function loadLately(samples: readonly LoadSample[], now: number): Load | undefined {
  return loadOf(samples, now - SLICE_MS, now);
}

/** The busiest five minutes of the last hour, each figure on its own; undefined while too little of the hour was measured. */
export function busiestOfTheHour(samples: readonly LoadSample[], now: number): Load | undefined {
  const slices: Load[] = [];
  for (let to = now; to > now - CALM_MS; to -= SLICE_MS) {
    const slice = loadOf(samples, to - SLICE_MS, to);
    if (slice === undefined) return undefined;
    slices.push(slice);
  }
  const most = (read: (load: Load) => number): number => Math.max(...slices.map(read));
  return {
    overMs: slices.reduce((sum, { overMs }) => sum + overMs, 0), samples: slices.reduce((sum, slice) => sum + slice.samples, 0),
    // What was used and what was withheld belong together.
    ...slices.map(({ cpuCores, deniedCores }) => ({ cpuCores, deniedCores })).reduce((one, other) => (other.cpuCores + other.deniedCores > one.cpuCores + one.deniedCores ? other : one)),
    rssMb: most(({ rssMb }) => rssMb), passShare: most(({ passShare }) => passShare), workerUse: most(({ workerUse }) => workerUse),
    candleLagMs: most(({ candleLagMs }) => candleLagMs), loopDelayMs: most(({ loopDelayMs }) => loopDelayMs), tradersShed: most(({ tradersShed }) => tradersShed),
  };
}

function loadOf(samples: readonly LoadSample[], from: number, to: number): Load | undefined {
  const within = samples.filter(({ at }) => at > from && at <= to);
  const overMs = within.reduce((sum, sample) => sum + sample.overMs, 0);
  if (within.length < LEAST_SAMPLES || overMs < (to - from) * COVERED) return undefined;
  const mean = (read: (sample: LoadSample) => number): number => within.reduce((sum, sample) => sum + read(sample) * sample.overMs, 0) / overMs;
  return {
    overMs, samples: within.length, cpuCores: mean(({ cpuCores }) => cpuCores), deniedCores: mean(({ deniedCores }) => deniedCores), rssMb: Math.max(...within.map(({ rssMb }) => rssMb)),
    passShare: mean(({ passShare }) => passShare), workerUse: mean(({ workerUse }) => workerUse), candleLagMs: mean(({ candleLagMs }) => candleLagMs), loopDelayMs: mean(({ loopDelayMs }) => loopDelayMs), tradersShed: mean(({ tradersShed }) => tradersShed),
  };
}

/** Whether the machine falls behind its work: by the thresholds from which on its user is told so. */
export function fallsBehind({ passShare, workerUse, candleLagMs, loopDelayMs, tradersShed }: Pick<Load, 'passShare' | 'workerUse' | 'candleLagMs' | 'loopDelayMs' | 'tradersShed'>): string | null {
  const measures = { passShare, workerUse, candleLagMs, loopDelayMs, tradersShed };
  for (const [measure, value] of Object.entries(measures) as [keyof typeof measures, number][]) {
    const { degraded } = HEALTH_MEASURES[measure];
    if (degraded !== null && value >= degraded) return measure;
  }
  return null;
}

/** The load as the grounds of a request. */
export function evidenceOf(load: Load, givenCores: number, outOfMemoryMb: number | null, epoch: number): ScaleEvidence {
  const { samples, overMs, ...figures } = load;
  const rounded = Object.fromEntries(Object.entries(figures).map(([name, value]) => [name, Number(value.toPrecision(4))])) as typeof figures;
  return { from: Math.round(epoch - overMs), to: Math.round(epoch), samples, ...rounded, givenCores, outOfMemoryMb };
}
