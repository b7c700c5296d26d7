/** One measurement: many runs of the same thing, the bound it must keep, and a peer on the same work where there is one. */
export interface BenchRow {
  /** `<area>.<name>`. */
  id: string;
  /** What was done, as a sentence. */
  what: string;
  unit: string;
  /** The bound; `<=` unless told otherwise. */
  must: number;
  atLeast?: boolean;
  runs: number;
  /** One run; returns the figure in `unit`. The peer, if any, runs interleaved: ours, theirs, ours, theirs. */
  measure(): Promise<number>;
  peer?: { name: string; measure(): Promise<number> };
}

export interface BenchResult {
  id: string;
  what: string;
  unit: string;
  value: number;
  min: number;
  max: number;
  runs: number;
  must: number;
  atLeast: boolean;
  ok: boolean;
  peer: string | null;
  peerValue: number | null;
  /** Peer divided by ours: above 1, ours takes less. */
  ratio: number | null;
}

/** The middle value; the mean of the middle two for an even count. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** Runs a row and judges its median against the bound. */
export async function runRow(row: BenchRow, progress: (text: string) => void): Promise<BenchResult> {
  const ours: number[] = [];
  const theirs: number[] = [];
  for (let run = 0; run < row.runs; run += 1) {
    progress(`${row.id} run ${run + 1} of ${row.runs}`);
    ours.push(await row.measure());
    if (row.peer) theirs.push(await row.peer.measure());
  }
  const value = median(ours);
  const peerValue = row.peer ? median(theirs) : null;
  const atLeast = row.atLeast ?? false;
  return {
    id: row.id, what: row.what, unit: row.unit, value, min: Math.min(...ours), max: Math.max(...ours), runs: row.runs, must: row.must, atLeast,
    ok: atLeast ? value >= row.must : value <= row.must,
    peer: row.peer?.name ?? null, peerValue, ratio: peerValue === null ? null : peerValue / value,
  };
}
