/** Passes in a row that decide. */
const PASSES = 3;
/** Shares of the time between two passes that screening took: above the first it does not keep up, below the second there is room for more. */
const TOO_MUCH = 0.9;
const ROOM = 0.35;

/** Watches whether screening keeps up with the closes. Pure: it is told what each pass took and how long the one after it was in coming. */
export class OverloadWatch {
  #over = 0;
  #idle = 0;

  /** A pass took `busyMs`, and the next one began `gapMs` after it. What is to be done now: screen less, screen more again, or nothing. */
  pass(busyMs: number, gapMs: number): 'shed' | 'restore' | undefined {
    const share = busyMs / Math.max(gapMs, 1e-3);
    this.#over = share > TOO_MUCH ? this.#over + 1 : 0;
    this.#idle = share < ROOM ? this.#idle + 1 : 0;
    if (this.#over >= PASSES) return this.#decided('shed');
    if (this.#idle >= PASSES) return this.#decided('restore');
    return undefined;
  }

  #decided(what: 'shed' | 'restore'): 'shed' | 'restore' {
    this.#over = 0;
    this.#idle = 0;
    return what;
  }
}

/** A trader as shedding sees it: 9 goes on longest, 0 is shed first. */
export interface Prioritised { readonly id: string; readonly priority: number }

/** Which half of those that run to stop: the least important first, of equals those that came last. One always stays. */
export function toShed(running: readonly Prioritised[]): string[] {
  const order = running.map((trader, index) => ({ ...trader, index })).sort((a, b) => a.priority - b.priority || b.index - a.index);
  return order.slice(0, Math.min(Math.ceil(running.length / 2), running.length - 1)).map(({ id }) => id);
}
