import type { MachinePatch, MachineRow, NewEvent, NewSecret } from '../database/rows.ts';
import { LeaseLost } from './act.ts';

export interface Noted { patch: MachinePatch; events: NewEvent[] }

export interface NotesOptions {
  record: (machineId: string, fence: number, patch: MachinePatch, events: readonly NewEvent[], secret: NewSecret | null) => Promise<number | null>;
  now: () => number;
}

/** The row as a look knows it, and what it saw and did that is not written yet: the next write takes all of it, at the latest the end of the look. */
export class Notes {
  row: MachineRow;
  #unwritten: Noted = { patch: {}, events: [] };
  readonly #options: NotesOptions;

  constructor(row: MachineRow, options: NotesOptions) {
    this.row = row;
    this.#options = options;
  }

  take({ patch, events }: Noted): void {
    this.row = { ...this.row, ...patch, ...(patch.phase === undefined ? {} : { phase_since: new Date(this.#options.now()).toISOString() }) };
    this.#unwritten = { patch: { ...this.#unwritten.patch, ...patch }, events: [...this.#unwritten.events, ...events] };
  }

  /**
   * Writes what is not written yet, and the hash of a secret that Fly is to learn. False: another wish came meanwhile, the rest of the look's steps is no longer wished.
   * Throws LeaseLost when the row belongs to somebody else by now; after any other error all is still to be written.
   */
  async write(secret: NewSecret | null): Promise<boolean> {
    const sent = this.#unwritten;
    if (secret === null && Object.keys(sent.patch).length === 0 && sent.events.length === 0) return true;
    const { id, fence, generation } = this.row;
    this.#unwritten = { patch: {}, events: [] };
    try {
      const now = await this.#options.record(id, fence, sent.patch, sent.events, secret);
      if (now === null) throw new LeaseLost();
      return now === generation;
    } catch (error) {
      this.#unwritten = this.#after(sent);
      throw error;
    }
  }

  /** What is left for the end of the look to write, with what it adds itself. */
  rest({ patch, events }: Noted): Noted {
    return { patch: { ...this.#unwritten.patch, ...patch }, events: [...this.#unwritten.events, ...events] };
  }

  #after(sent: Noted): Noted {
    return { patch: { ...sent.patch, ...this.#unwritten.patch }, events: [...sent.events, ...this.#unwritten.events] };
  }
}
