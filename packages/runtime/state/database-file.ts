import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite';

/** One SQLite file (WAL), shared by the rooms that keep something in it: what belongs together is written in one transaction. All is synchronous. */
export class DatabaseFile {
  readonly #db: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();
  /** The disk is full: makes room, more of it for a transaction by which rows leave. The transaction that met it is done once more. */
  onFull: ((leaving: boolean) => void) | undefined;

  /** Opens or makes the file. Throws what SQLite throws. */
  constructor(path: string) {
    this.#db = new DatabaseSync(path, { timeout: 5_000 });
    try {
      this.#db.exec('pragma journal_mode = wal; pragma synchronous = normal; pragma wal_autocheckpoint = 500');
    } catch (error) {
      this.#db.close();
      throw error;
    }
  }

  close(): void {
    this.#db.close();
  }

  /** Runs several statements without values. */
  exec(sql: string): void {
    this.#db.exec(sql);
  }

  /** Runs one statement; answers how many rows it changed. */
  run(sql: string, ...values: SQLInputValue[]): number {
    return Number(this.#prepared(sql).run(...values).changes);
  }

  all<T>(sql: string, ...values: SQLInputValue[]): T[] {
    return this.#prepared(sql).all(...values) as T[];
  }

  /**
   * All of `work` or nothing. Inside another transaction it belongs to that one, so whoever catches its error must let the outer one fail too.
   * On a full disk it is done again after `onFull`, so what it does outside the file must bear a repeat.
   * @param leaving whether it is one by which rows leave
   */
  transaction<T>(work: () => T, leaving = false): T {
    if (this.#db.isTransaction) return work();
    try {
      return this.#attempt(work);
    } catch (error) {
      const { onFull } = this;
      if (onFull === undefined || !isDiskFull(error)) throw error;
      // What makes room is itself a transaction: it must not ask for room in turn.
      this.onFull = undefined;
      try {
        onFull(leaving);
        return this.#attempt(work);
      } finally {
        this.onFull = onFull;
      }
    }
  }

  /** Brings what the log holds into the file and empties the log, as far as the disk has room for that. */
  shrink(): void {
    try {
      this.#db.exec('pragma wal_checkpoint(truncate)');
    } catch (error) {
      if (!isDiskFull(error)) throw error;
    }
  }

  #attempt<T>(work: () => T): T {
    this.#db.exec('begin immediate');
    try {
      const result = work();
      this.#db.exec('commit');
      return result;
    } catch (error) {
      if (this.#db.isTransaction) this.#db.exec('rollback');
      throw error;
    }
  }

  #prepared(sql: string): StatementSync {
    let statement = this.#statements.get(sql);
    if (!statement) {
      statement = this.#db.prepare(sql);
      this.#statements.set(sql, statement);
    }
    return statement;
  }
}

/** SQLITE_FULL, or SQLITE_IOERR_WRITE, SQLITE_IOERR_FSYNC and SQLITE_IOERR_SHMSIZE, which some file systems give instead. Source: https://www.sqlite.org/rescode.html. */
export function isDiskFull(error: unknown): boolean {
  const { errcode } = error as { errcode?: number };
  return errcode === 13 || errcode === 778 || errcode === 1_034 || errcode === 4_874;
}
