/**
 * An error that a person or a program can act on: a stable `code`, the field it speaks of, and what to do next.
 * The message never holds a secret.
 */
export class TradeMindError extends Error {
  readonly code: string;
  readonly field: string | undefined;
  readonly nextStep: string | undefined;

  constructor(init: { code: string; message: string; field?: string | undefined; nextStep?: string | undefined; cause?: unknown }) {
    super(init.message, init.cause === undefined ? undefined : { cause: init.cause });
    this.name = new.target.name;
    this.code = init.code;
    this.field = init.field;
    this.nextStep = init.nextStep;
  }
}

/** The code of anything thrown: ours, the system's (`ECONNREFUSED`), or `internal`. */
export function codeOf(error: unknown): string {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === 'string' && code !== '' ? code : 'internal';
}

/** One sentence for people: what happened and, when known, what to do next. */
export function sentenceOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const nextStep = error instanceof TradeMindError && error.nextStep ? ` ${error.nextStep}` : '';
  return `${error.message}${nextStep}`;
}
