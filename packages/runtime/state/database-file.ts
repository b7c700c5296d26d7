import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite';

/** One SQLite file (WAL), shared by the rooms that keep something in it: what belongs together is written in one transaction. All is synchronous. */
export class DatabaseFile {
  readonly #db: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();

  /** Opens or makes the file. Throws what SQLite throws. */
  constructor(path: string) {
    this.#db = new DatabaseSync(path, { timeout: 5_000 });
    this.#db.exec('pragma journal_mode = wal; pragma synchronous = normal; pragma wal_autocheckpoint = 500');
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

  /** All of `work` or nothing. Inside another transaction it belongs to that one, so whoever catches its error must let the outer one fail too. */
  transaction<T>(work: () => T): T {
    if (this.#db.isTransaction) return work();
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
