import { exitCodeFor } from '../exit-codes.ts';

/** An error as the terminal tells it, read by shape, so that `--help` need not load the classes. `frame`: source text with a caret. */
export interface Failure { code: string; message: string; field?: string; nextStep?: string; frame?: string }

const SYSTEM: Readonly<Record<string, { message: string; nextStep: string }>> = {
  ECONNREFUSED: { message: 'Nothing answers there.', nextStep: 'Is the local cloud running? Start it with `npm start`.' },
  ENOSPC: { message: 'The disk is full.', nextStep: 'Free some space, or use another folder with --data DIR.' },
};

/** Anything thrown, as code, sentence and next step. */
export function failureOf(error: unknown): Failure {
  const { code, message, field, nextStep, frame, cause } = (error ?? {}) as Record<string, unknown>;
  // fetch hides the system's error one level down.
  if (typeof code !== 'string' && cause && typeof (cause as { code?: unknown }).code === 'string') return failureOf(cause);
  const known = typeof code === 'string' ? code : 'internal';
  const system = SYSTEM[known];
  return {
    code: known,
    message: system?.message ?? (typeof message === 'string' && message ? message : String(error)),
    ...(typeof field === 'string' ? { field } : {}),
    ...(typeof frame === 'string' ? { frame } : {}),
    ...(typeof nextStep === 'string' ? { nextStep } : system ? { nextStep: system.nextStep } : {}),
  };
}

/**
 * Tells an error: one line and, when known, what to do next (stderr); with `json` one JSON line on stdout. Returns the exit status.
 */
export function tellFailure(error: unknown, json: boolean, io: { stdout(text: string): void; stderr(text: string): void }): number {
  const failure = failureOf(error);
  if (json) io.stdout(`${JSON.stringify({ error: failure })}\n`);
  else io.stderr(`trademind: ${failure.message}${failure.frame ? `\n${indent(failure.frame)}` : ''}${failure.nextStep ? `\n  → ${failure.nextStep}` : ''}\n`);
  return exitCodeFor(failure.code);
}

const indent = (text: string) => text.split('\n').map((line) => `    ${line}`).join('\n');
