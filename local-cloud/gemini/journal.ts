const KEPT = 20_000;

/** One call of generateContent. Times in ms of wall time; `endedAt` is null while it runs. */
export interface JournalEntry { seq: number; at: number; endedAt: number | null; model: string; promptHash: string | null; fault: string | null; status: number | null; outcome: 'running' | 'answered' | 'refused' | 'aborted' | 'broken' }

/** What was asked, in its order, the newest 20,000: GET /_stand-in/journal?after=SEQ. */
export class Journal {
  readonly #entries: JournalEntry[] = [];
  #seq = 0;

  begin(at: number): JournalEntry {
    const entry: JournalEntry = { seq: ++this.#seq, at, endedAt: null, model: '', promptHash: null, fault: null, status: null, outcome: 'running' };
    this.#entries.push(entry);
    if (this.#entries.length > KEPT) this.#entries.shift();
    return entry;
  }

  after(seq: number): JournalEntry[] {
    return this.#entries.filter((entry) => entry.seq > seq);
  }
}
