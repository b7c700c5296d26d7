/** A chaos run: does harm to a real system by a seed, then checks what must still be true. */
export interface ChaosArea {
  /** What is done to the system, as a sentence. */
  what: string;
  defaultMinutes: number;
  run(context: ChaosContext): Promise<ChaosReport>;
}

export interface ChaosContext { seed: number; minutes: number; random: () => number; say(text: string): void }

export interface ChaosReport {
  /** How often each kind of harm was done. */
  harm: Readonly<Record<string, number>>;
  /** What was compared with what, each with its count. */
  checked: readonly string[];
  /** Each a sentence; empty = all held. */
  violations: readonly string[];
  /** Seconds that each recovery took. */
  recoverySeconds: readonly number[];
}

/** Mulberry32: a small seeded generator in [0, 1), so that a run can be repeated from its seed. Source: T. Ettinger, public domain. */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
