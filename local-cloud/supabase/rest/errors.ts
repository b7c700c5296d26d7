import { DatabaseError } from 'pg';
import type { Answer } from '../answer.ts';
import { isAway } from '../away.ts';

/** An error in PostgREST's shape. */
export class RestError extends Error {
  readonly status: number;
  readonly code: string;
  readonly details: string | null | readonly object[];
  readonly hint: string | null;

  constructor(status: number, code: string, message: string, details: string | null | readonly object[] = null, hint: string | null = null) {
    super(message);
    this.status = status;
    this.code = code;
    this.details = details;
    this.hint = hint;
  }

  answer(): Answer {
    return {
      status: this.status, body: JSON.stringify({ code: this.code, details: this.details, hint: this.hint, message: this.message }),
      headers: {
        'proxy-status': `PostgREST; error=${this.code.replace(/\W/g, '')}`,
        ...(this.status === 503 ? { 'retry-after': '1' } : {}), ...(this.status === 401 ? { 'www-authenticate': 'Bearer' } : {}),
      },
    };
  }
}

/** SQLSTATE (or its class) → HTTP status, as PostgREST documents it. The longest prefix wins. */
const STATUS: Readonly<Record<string, number>> = {
  '09': 500, '0L': 403, '0P': 403, '23503': 409, '23505': 409, '25006': 405, '25': 500, '28': 403, '2D': 500, '38': 500, '39': 500,
  '3B': 500, '40': 500, '53': 503, '53400': 500, '54': 500, '55': 500, '57': 500, '58': 500, 'F0': 500, 'HV': 500,
  'P0001': 400, 'P0': 500, 'XX': 500, '42883': 404, '42P01': 404, '42P17': 500,
};

/** Turns what went wrong in a request into PostgREST's answer; throws what nobody foresaw. `anonymous`: the caller has not said who they are, so a refusal means 401. */
export function toRestError(error: unknown, anonymous: boolean): RestError {
  if (error instanceof RestError) return error;
  if (isAway(error)) return away(error);
  if (!(error instanceof DatabaseError)) throw error;
  const { code = 'XX000', message, detail = null, hint = null } = error;
  return new RestError(statusOf(code, anonymous), code, message, detail, hint === '' ? null : hint);
}

function statusOf(code: string, anonymous: boolean): number {
  const own = /^PT(\d{3})$/.exec(code);
  if (own !== null) return Number(own[1]);
  if (code === '42501') return anonymous ? 401 : 403;
  return STATUS[code] ?? STATUS[code.slice(0, 2)] ?? 400;
}

function away(error: unknown): RestError {
  if (error instanceof DatabaseError) return new RestError(503, 'PGRST001', 'Database client error. Retrying the connection.');
  if (error instanceof Error && /timeout exceeded/i.test(error.message)) return new RestError(504, 'PGRST003', 'Timed out acquiring connection from connection pool.');
  return new RestError(503, 'PGRST000', 'Database connection error. Retrying the connection.');
}
