/** Why the database cannot run, in one line with a next step. `code` is stable. */
export class PostgresError extends Error {
  readonly code: PostgresErrorCode;

  constructor(code: PostgresErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'PostgresError';
    this.code = code;
  }
}

export type PostgresErrorCode =
  | 'postgres_missing'
  | 'data_folder_read_only'
  | 'disk_full'
  | 'port_taken'
  | 'already_running'
  | 'uid_refused'
  | 'migration_changed'
  | 'migration_failed'
  | 'start_failed';

/** Turns an error of the file system (or the last words of a PostgreSQL program) into the one a user can act on. */
export function explain(error: unknown, folder: string): PostgresError {
  if (error instanceof PostgresError) return error;
  const { code = '', message } = error as NodeJS.ErrnoException;
  if (code === 'ENOSPC' || code === 'EDQUOT' || /No space left on device|Disk quota exceeded/i.test(message)) {
    return new PostgresError('disk_full', `No disk space left for the database in ${folder}: free some (about 200 MB), then start again.`, { cause: error });
  }
  if (['EACCES', 'EROFS', 'EPERM', 'ENOTDIR'].includes(code) || /Read-only file system|Permission denied/i.test(message)) {
    return new PostgresError('data_folder_read_only', `The data folder ${folder} cannot be written: choose another with --data, or change its owner.`, { cause: error });
  }
  return new PostgresError('start_failed', `The database did not start: ${lastWords(message)}`, { cause: error });
}

/** The last line that says something. */
export function lastWords(text: string): string {
  const lines = text.split('\n').map((line) => line.trim()).filter((line) => line !== '');
  return lines.findLast((line) => /FATAL|ERROR|PANIC|error:/.test(line)) ?? lines.at(-1) ?? 'no reason was given';
}
