import type { Answer, Call } from '../answer.ts';

const VERSION_HEADER = 'x-supabase-api-version';
/** From this version of the interface on an error is {code, message}; before it {code: HTTP status, error_code, msg}. */
const VERSION_2024 = '2024-01-01';

/** An error in GoTrue's shape. */
export class AuthError extends Error {
  readonly status: number;
  readonly errorCode: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Further members of the body, e.g. why a password is weak. */
  readonly more: Readonly<Record<string, unknown>>;

  constructor(status: number, errorCode: string, message: string, headers: Record<string, string> = {}, more: Record<string, unknown> = {}) {
    super(message);
    this.status = status;
    this.errorCode = errorCode;
    this.headers = headers;
    this.more = more;
  }

  /** In the form that the caller's version of the interface expects; the version is said back. */
  answer(headers: Call['headers']): Answer {
    const asked = headers[VERSION_HEADER] ?? '';
    const body = asked >= VERSION_2024
      ? { code: this.errorCode, message: this.message, ...this.more }
      : { code: this.status, error_code: this.errorCode, msg: this.message, ...this.more };
    return { status: this.status, body: JSON.stringify(body), headers: { ...this.headers, ...(asked >= VERSION_2024 ? { [VERSION_HEADER]: VERSION_2024 } : {}) } };
  }
}
