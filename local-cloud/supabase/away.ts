import { DatabaseError } from 'pg';

/** Whether an error means that the database is not there now: being shut down, crashed, not up yet, or gone in the middle of an answer. */
export function isAway(error: unknown): boolean {
  const { message = '', code = '' } = error as NodeJS.ErrnoException;
  if (error instanceof DatabaseError) return /^57P0[123]$|^08/.test(code);
  return /^(ECONN|EPIPE|ETIMEDOUT|ENETUNREACH)/.test(code) || /Connection terminated|Client has encountered a connection error|not queryable|timeout exceeded when trying to connect/i.test(message);
}
