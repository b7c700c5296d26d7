import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite';

/** A data folder that another stand-in has open. */
class DataInUse extends Error {
  readonly code = 'data_in_use';
}

/** SQLite in WAL mode, held by one process alone, with statements prepared once. What was committed survives `kill -9`. */
export class Database {
  readonly #db: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();
  #depth = 0;

  constructor(file: string, schema: string) {
    this.#db = new DatabaseSync(file);
    try {
      // the lock belongs to the process, so it ends with it, however it ends
      this.#db.exec('pragma busy_timeout = 500; pragma locking_mode = exclusive; pragma journal_mode = wal; pragma synchronous = normal');
      this.#db.exec(schema);
    } catch (error) {
      this.#db.close();
      if (/database is locked/.test(String(error))) throw new DataInUse('Another Fly stand-in has this data folder open. Stop it, or choose another folder with --data.');
      throw error;
    }
  }

  #prepare(sql: string): StatementSync {
    let statement = this.#statements.get(sql);
    if (!statement) this.#statements.set(sql, (statement = this.#db.prepare(sql)));
    return statement;
  }

  run(sql: string, ...values: SQLInputValue[]): number {
    return Number(this.#prepare(sql).run(...values).changes);
  }

  get(sql: string, ...values: SQLInputValue[]): unknown {
    return this.#prepare(sql).get(...values);
  }

  all<T = unknown>(sql: string, ...values: SQLInputValue[]): T[] {
    return this.#prepare(sql).all(...values) as T[];
  }

  /** All of it or nothing. May be nested; the outermost one commits. */
  transaction<T>(work: () => T): T {
    if (this.#depth > 0) return work();
    this.#db.exec('begin immediate');
    this.#depth += 1;
    try {
      const result = work();
      this.#db.exec('commit');
      return result;
    } catch (error) {
      this.#db.exec('rollback');
      throw error;
    } finally {
      this.#depth -= 1;
    }
  }

  close(): void {
    this.#db.close();
  }
}
