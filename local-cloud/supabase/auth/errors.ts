import type { Answer } from '../answer.ts';

/** An error in GoTrue's shape: {code: HTTP status, error_code, msg}. */
export class AuthError extends Error {
  readonly status: number;
  readonly errorCode: string;

  constructor(status: number, errorCode: string, message: string) {
    super(message);
    this.status = status;
    this.errorCode = errorCode;
  }

  answer(): Answer {
    return { status: this.status, body: JSON.stringify({ code: this.status, error_code: this.errorCode, msg: this.message }) };
  }
}
