import type { Store } from '../store.ts';
import type { MachineRow } from '../types.ts';
import type { Faults } from './faults.ts';

/**
 * What lists show under an `eventual-list` fault: each machine as it was so many ms ago. Nothing is remembered while there is no such fault; from the
 * moment it is asked for, the row that each change replaces is kept for as long as it may still be shown.
 */
export class PastLists {
  readonly #faults: Faults;
  readonly #now: () => number;
  /** By machine, oldest first: the row as it was until `until`. Null: there was none. */
  readonly #past = new Map<string, { until: number; row: MachineRow | null }[]>();

  constructor(faults: Faults, store: Store, now: () => number) {
    this.#faults = faults;
    this.#now = now;
    store.onSave = (id, before) => this.#keep(id, before);
  }

  #lag(of: 'org' | 'app'): number {
    return this.#faults.all('eventual-list').reduce((most, order) => (order.of === of || order.of === 'all' ? Math.max(most, order.ms) : most), 0);
  }

  #keep(id: string, before: () => MachineRow | null): void {
    const lag = Math.max(this.#lag('org'), this.#lag('app'));
    if (lag === 0) {
      this.#past.clear();
      return;
    }
    const until = this.#now();
    const kept = (this.#past.get(id) ?? []).filter((one) => one.until > until - lag);
    this.#past.set(id, [...kept, { until, row: before() }]);
  }

  /** The rows as this list shows them. A machine that was destroyed a moment ago is still there; the caller says which rows it would show if nothing lagged. */
  show(of: 'org' | 'app', rows: readonly MachineRow[], gone: (id: string) => MachineRow | undefined, belongs: (row: MachineRow) => boolean): MachineRow[] {
    const lag = this.#lag(of);
    if (lag === 0) return [...rows];
    const at = this.#now() - lag;
    const asItWas = (id: string, row: MachineRow | undefined): MachineRow | undefined => {
      const older = this.#past.get(id)?.find((one) => one.until > at);
      return older === undefined ? row : older.row ?? undefined;
    };
    const known = new Set(rows.map((row) => row.id));
    const buried = [...this.#past.keys()].filter((id) => !known.has(id)).map((id) => asItWas(id, gone(id))).filter((row) => row !== undefined && row.destroyedAt === null && belongs(row)) as MachineRow[];
    return [...rows.map((row) => asItWas(row.id, row)).filter((row) => row !== undefined), ...buried];
  }
}
