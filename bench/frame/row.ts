/** One measurement: many runs of the same thing, the bounds it must keep, and peers on the same work where there are some. */
export interface BenchRow {
  /** `<area>.<name>`. */
  id: string;
  /** What was done, as a sentence. */
  what: string;
  unit: string;
  /** The bound on the median, where one is set; `<=` unless told otherwise. */
  must?: number;
  atLeast?: boolean;
  /** The bound on the 99th percentile of all samples, where one is set. */
  p99?: number;
  runs: number;
  /** One run; returns a figure in `unit`, or several samples of it. Peers run interleaved: ours, theirs, ours, theirs. */
  measure(): Promise<number | readonly number[]>;
  peers?: readonly Peer[];
  /** Figures that follow from the runs, or are measured after them, each with its own bound. */
  also?(): Promise<readonly Figure[]>;
}

/** What the caller may say of a row. */
export interface RowOptions {
  /** Hours of the market that a long run lasts. */
  hours?: number | undefined;
}

/** Somebody else on the same work. */
export interface Peer {
  name: string;
  measure(): Promise<number | readonly number[]>;
  /** How many times its median must exceed ours. */
  ratio?: number;
  /** Runs once every so many of our runs, for a peer that takes very long; every run unless told otherwise. */
  every?: number;
}

export interface Figure { name: string; value: number; unit: string; must?: number; atLeast?: boolean }

export interface PeerResult { name: string; value: number; samples: number; ratio: number; must: number | null; ok: boolean }
export interface FigureResult { name: string; value: number; unit: string; must: number | null; atLeast: boolean; ok: boolean }

export interface BenchResult {
  id: string;
  what: string;
  unit: string;
  /** The median. */
  value: number;
  min: number;
  max: number;
  p99: number;
  p99Must: number | null;
  runs: number;
  samples: number;
  must: number | null;
  atLeast: boolean;
  /** Whether the median kept its bound, and whether the row kept all of its bounds. */
  reached: boolean;
  ok: boolean;
  /** The first of `peers`, for whoever asks for one. */
  peer: string | null;
  peerValue: number | null;
  /** Peer divided by ours: above 1, ours takes less. */
  ratio: number | null;
  peers: readonly PeerResult[];
  also: readonly FigureResult[];
}

/** The middle value; the mean of the middle two for an even count. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** The smallest value that `share` (0 to 1) of all do not exceed (nearest rank). */
export function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)]!;
}

/** A row may have thousands of runs: telling of each would disturb what is measured. */
const PROGRESS_MS = 200;

const keeps = (value: number, must: number | null, atLeast: boolean): boolean => must === null || (atLeast ? value >= must : value <= must);

/** Runs a row and judges its median, and what else has a bound. */
export async function runRow(row: BenchRow, progress: (text: string) => void): Promise<BenchResult> {
  const ours: number[] = [];
  const theirs = (row.peers ?? []).map((peer) => ({ peer, samples: [] as number[] }));
  let told = 0;
  for (let run = 0; run < row.runs; run += 1) {
    if (run === 0 || performance.now() - told > PROGRESS_MS) {
      progress(`${row.id} run ${run + 1} of ${row.runs}`);
      told = performance.now();
    }
    ours.push(...[await row.measure()].flat());
    for (const { peer, samples } of theirs) if ((run + 1) % (peer.every ?? 1) === 0) samples.push(...[await peer.measure()].flat());
  }
  const value = median(ours);
  const p99 = percentile(ours, 0.99);
  const atLeast = row.atLeast ?? false;
  const must = row.must ?? null;
  const p99Must = row.p99 ?? null;
  const peers = theirs.map(({ peer, samples }): PeerResult => {
    const theirValue = median(samples);
    const ratio = theirValue / value;
    const must = peer.ratio ?? null;
    return { name: peer.name, value: theirValue, samples: samples.length, ratio, must, ok: keeps(ratio, must, true) };
  });
  const also = (await row.also?.() ?? []).map((figure): FigureResult => {
    const { must, atLeast } = { must: figure.must ?? null, atLeast: figure.atLeast ?? false };
    return { ...figure, must, atLeast, ok: keeps(figure.value, must, atLeast) };
  });
  return {
    id: row.id, what: row.what, unit: row.unit, value, min: percentile(ours, 0), max: percentile(ours, 1), p99, p99Must, runs: row.runs, samples: ours.length, must, atLeast,
    reached: keeps(value, must, atLeast), ok: keeps(value, must, atLeast) && keeps(p99, p99Must, false) && [...peers, ...also].every(({ ok }) => ok),
    peer: peers[0]?.name ?? null, peerValue: peers[0]?.value ?? null, ratio: peers[0]?.ratio ?? null, peers, also,
  };
}
