import type { DatabaseFile } from './database-file.ts';
import { FACT_KINDS, FACTS, type FactKind, type FactRows } from './facts.ts';

/** Of a kind that has too many waiting, this share is let go at once, so that it is not done for every row. */
const LET_GO_SHARE = 10;
const SET_ASIDE_MOST = 2_000;

export interface OutboxRow { seq: number; kind: FactKind; id: string; payload: string }
/** A row that the database will never take, and why. */
export interface Refusal { row: OutboxRow; code: string; message: string }
export interface SetAside { kind: FactKind; id: string; code: string; message: string }
/** Rows that were let go to make room. `from` and `to`: when the first and the last were queued (wall time, ms). */
export interface LetGo { kind: string; rows: number; from: number; to: number }

/**
 * Facts on their way to the database, on disk until it has answered for each. Kinds that are never let go come first, each oldest first;
 * the others use the room that is left. All is synchronous; `add` belongs to the transaction of whoever calls.
 */
export class Outbox {
  readonly #file: DatabaseFile;
  readonly #epoch: () => number;
  readonly #open: boolean;

  /** @param options.open false where nothing is sent anywhere: nothing is queued */
  constructor(file: DatabaseFile, options: { epoch: () => number; open: boolean }) {
    this.#file = file;
    this.#epoch = options.epoch;
    this.#open = options.open;
  }

  /** Queues a fact. One that waits already is not queued again. */
  add<K extends FactKind>(kind: K, id: string, row: FactRows[K]): void {
    if (!this.#open) return;
    this.#file.transaction(() => {
      this.#file.run('insert into outbox (lane, kind, id, payload, at) values (?, ?, ?, ?, ?) on conflict do nothing', laneOf(kind), kind, id, JSON.stringify({ ...row, id }), this.#epoch());
      const most = FACTS[kind];
      if (most !== null && this.#waiting(kind) > most) this.#letGo(kind, Math.ceil(most / LET_GO_SHARE));
    });
  }

  /**
   * The rows whose turn it is: at most `rows`, and `bytes` of payload (but always one).
   * @param pick one row by its number, or all but some
   */
  batch(limit: { rows: number; bytes: number }, pick: { only: number } | { except: readonly number[] } = { except: [] }): OutboxRow[] {
    if ('only' in pick) return this.#file.all<OutboxRow>('select seq, kind, id, payload from outbox where seq = ?', pick.only);
    const found: OutboxRow[] = [];
    let bytes = 0;
    for (const lane of [0, 1]) {
      const rows = this.#file.all<OutboxRow>('select seq, kind, id, payload from outbox where lane = ? and seq not in (select value from json_each(?)) order by seq limit ?',
        lane, JSON.stringify(pick.except), limit.rows - found.length);
      for (const row of rows) {
        bytes += row.payload.length;
        if (found.length > 0 && bytes > limit.bytes) return found;
        found.push(row);
      }
    }
    return found;
  }

  /**
   * The database has answered for these rows: they leave the outbox; those that it will never take are set aside. A decision that was refused
   * because its signal is not there stays while the signal still waits.
   * @param tell hears of those set aside, in the same transaction
   */
  settle(rows: readonly OutboxRow[], refusals: readonly Refusal[], tell: (aside: readonly Refusal[]) => void): void {
    this.#file.transaction(() => {
      const early = refusals.filter(({ row, code }) => code === 'signal_unknown' && this.#has('signal', row.id));
      const aside = refusals.filter((one) => !early.includes(one));
      for (const { row, code, message } of aside) {
        this.#file.run('insert into set_aside (kind, id, payload, code, message, at) values (?, ?, ?, ?, ?, ?) on conflict do nothing', row.kind, row.id, row.payload, code, message, this.#epoch());
      }
      const stay = new Set(early.map(({ row }) => row.seq));
      this.#file.run('delete from outbox where seq in (select value from json_each(?))', JSON.stringify(rows.map(({ seq }) => seq).filter((seq) => !stay.has(seq))));
      if (aside.length === 0) return;
      this.#boundSetAside();
      tell(aside);
    }, true);
  }

  /** How many wait, and since when (wall time, ms) the oldest does. */
  state(): { rows: number; oldestAt: number | null } {
    const { rows } = this.#file.all<{ rows: number }>('select coalesce(sum(rows), 0) as rows from outbox_counts')[0]!;
    const oldest = this.#file.all<{ at: number }>('select at from outbox order by seq limit 1')[0];
    return { rows, oldestAt: oldest?.at ?? null };
  }

  /** Rows that the database refused, oldest first; kept so that somebody can look at them. */
  setAside(): SetAside[] {
    return this.#file.all('select kind, id, code, message from set_aside order by at, kind, id');
  }

  /** How many were set aside after an instant (wall time, ms). */
  setAsideSince(at: number): number {
    return this.#file.all<{ rows: number }>('select count(*) as rows from set_aside where at > ?', at)[0]!.rows;
  }

  /** Lets all go that may be, on a full disk: metrics first. Signals, decisions and what was paid always stay. */
  letGoAll(): void {
    this.#file.transaction(() => {
      for (const kind of FACT_KINDS.toReversed()) if (FACTS[kind] !== null) this.#letGo(kind, this.#waiting(kind));
    });
  }

  /** What was let go since the last time that this was asked and `tell` did not fail: telling and forgetting are one transaction. */
  tellLetGo(tell: (gone: readonly LetGo[]) => void): void {
    this.#file.transaction(() => {
      const gone = this.#file.all<LetGo>('select kind, rows, from_at as "from", to_at as "to" from let_go order by kind');
      if (gone.length === 0) return;
      this.#file.run('delete from let_go');
      tell(gone);
    });
  }

  #has(kind: FactKind, id: string): boolean {
    return this.#file.all('select 1 from outbox where kind = ? and id = ?', kind, id).length > 0;
  }

  #waiting(kind: FactKind): number {
    return this.#file.all<{ rows: number }>('select rows from outbox_counts where kind = ?', kind)[0]?.rows ?? 0;
  }

  #letGo(kind: FactKind, rows: number): void {
    if (rows === 0) return;
    const oldest = 'select seq from outbox where lane = ? and kind = ? order by seq limit ?';
    const span = this.#file.all<{ rows: number; from: number; to: number }>(`select count(*) as rows, min(at) as "from", max(at) as "to" from outbox where seq in (${oldest})`, laneOf(kind), kind, rows)[0]!;
    this.#file.run(`delete from outbox where seq in (${oldest})`, laneOf(kind), kind, rows);
    this.#noteLetGo({ kind, ...span });
  }

  #boundSetAside(): void {
    const oldest = 'select kind, id from set_aside order by at desc limit -1 offset ?';
    const span = this.#file.all<{ rows: number; from: number; to: number }>(`select count(*) as rows, min(at) as "from", max(at) as "to" from set_aside where (kind, id) in (${oldest})`, SET_ASIDE_MOST)[0]!;
    if (span.rows === 0) return;
    this.#file.run(`delete from set_aside where (kind, id) in (${oldest})`, SET_ASIDE_MOST);
    this.#noteLetGo({ kind: 'set aside', ...span });
  }

  #noteLetGo({ kind, rows, from, to }: LetGo): void {
    this.#file.run(`insert into let_go (kind, rows, from_at, to_at) values (?, ?, ?, ?)
      on conflict do update set rows = rows + excluded.rows, from_at = min(from_at, excluded.from_at), to_at = max(to_at, excluded.to_at)`, kind, rows, from, to);
  }
}

/** 0: never let go. */
function laneOf(kind: FactKind): number {
  return FACTS[kind] === null ? 0 : 1;
}
