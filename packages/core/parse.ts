import * as z from 'zod/mini';
import en from 'zod/v4/locales/en.js';
import { TradeMindError } from './errors.ts';

// zod/mini says only "Invalid input" until it is given words.
z.config(en());

/**
 * Parses what came from outside. Throws a TradeMindError with the given code that names the first wrong field; the value itself is not
 * repeated, for it may be a secret.
 */
export function parseWith<T extends z.ZodMiniType>(schema: T, value: unknown, code: string, what: string): z.output<T> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  const field = issue?.path.map(String).join('.') ?? '';
  const detail = issue?.code === 'unrecognized_keys' ? `unknown key ${issue.keys.map((key) => `"${key}"`).join(', ')}` : (issue?.message ?? 'invalid');
  throw new TradeMindError({ code, message: `${what}${field ? `: ${field}` : ''}: ${detail}`, field: field || undefined });
}
