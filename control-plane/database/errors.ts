import { TradeMindError } from '@trademind/core';

/** A call to the database that did not end well, with the HTTP status it means for whoever asked. */
export class DatabaseError extends TradeMindError {
  readonly status: number;
  constructor(init: { code: string; message: string; status: number; nextStep?: string | undefined; cause?: unknown }) {
    super(init);
    this.status = init.status;
  }
}

/** What PostgREST says of an error; our own functions raise `PT<status>` with a stable code as the message. */
interface Said { code?: string | undefined; message: string; details?: string | null | undefined; hint?: string | null | undefined }

/** An answer with an error, as one of ours. `status` 0 = no answer at all. */
export function databaseError(doing: string, status: number, said: Said): DatabaseError {
  if (said.code?.startsWith('PT')) {
    return new DatabaseError({
      code: said.message, message: said.details || said.message, nextStep: said.hint || undefined, status: Number(said.code.slice(2)) || status,
    });
  }
  // 42501: row-level security or a missing grant; 23505: a unique index
  if (said.code === '23505') return new DatabaseError({ code: 'already_exists', message: `${doing}: it exists already.`, status: 409, nextStep: 'Choose another name, or change the one that exists.' });
  // 22P05 and 22021: text that PostgreSQL cannot keep, such as a zero character
  if (said.code === '22P05' || said.code === '22021') return new DatabaseError({ code: 'text_refused', message: `${doing}: a text holds characters that cannot be stored.`, status: 422, nextStep: 'Leave out zero characters and broken Unicode.' });
  // 22007 to 22009: an instant that no calendar has
  if (said.code !== undefined && /^2200[789]$/.test(said.code)) return new DatabaseError({ code: 'time_refused', message: `${doing}: an instant lies outside what can be stored.`, status: 400, nextStep: 'Send an instant between the years 1 and 9999.' });
  // 23503: what it belongs to is gone
  if (said.code === '23503') return new DatabaseError({ code: 'owner_gone', message: `${doing}: the account that it belongs to no longer exists.`, status: 404, nextStep: 'Sign in with an account that exists.' });
  if (status === 401) return new DatabaseError({ code: 'token_refused', message: `${doing}: the database refused the token.`, status: 401, nextStep: 'Sign in again.' });
  if (said.code === '42501' || status === 403) return new DatabaseError({ code: 'forbidden', message: `${doing}: not allowed.`, status: 403 });
  if (status === 0 || status >= 500 || status === 429) {
    return new DatabaseError({
      code: 'database_unavailable', message: `${doing}: the database does not answer.`, status: 503, nextStep: 'Repeat in a few seconds.', cause: said.message,
    });
  }
  return new DatabaseError({ code: 'database_refused', message: `${doing}: the database refused it (${said.code ?? status}).`, status: 500, cause: said.message });
}
