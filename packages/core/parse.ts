import * as z from 'zod/mini';
import en from 'zod/v4/locales/en.js';
import { TradeMindError } from './errors.ts';
import { cutText } from './text.ts';

// zod/mini says only "Invalid input" until it is given words.
z.config(en());

/** Keys are repeated in an error so that they can be found again; whoever sent them may have made them as long, and as many, as they liked. */
const KEY_LENGTH = 80;
const KEYS_NAMED = 5;
const FIELD_LENGTH = 200;

/** What is wrong with a value, in words, and where: keys and indices from the outside in. */
export interface Issue { readonly path: readonly PropertyKey[]; readonly detail: string; readonly unknownKey: boolean }

/**
 * The first thing that a schema has against a value; an unknown key before all else, for it explains what is missing. Where a value may be one of several kinds, the words are those of the kind that it comes nearest to: of
 * `{candels: 3}` that the key is unknown, not that it is no text.
 */
export function firstIssue(error: z.core.$ZodError): Issue {
  const issue = error.issues.find(({ code }) => code === 'unrecognized_keys') ?? error.issues[0];
  return issue === undefined ? { path: [], detail: 'invalid', unknownKey: false } : readIssue(issue, []);
}

function readIssue(issue: z.core.$ZodIssue, before: readonly PropertyKey[]): Issue {
  const path = [...before, ...issue.path];
  if (issue.code === 'unrecognized_keys') {
    return { path: [...path, ...issue.keys.slice(0, 1)], detail: unknownKeys(issue.keys), unknownKey: true };
  }
  if (issue.code === 'invalid_key') return { path, detail: issue.issues[0]?.message ?? issue.message, unknownKey: false };
  if (issue.code === 'invalid_union') {
    // A kind that is wrong as a whole is not the one that was meant.
    const meant = issue.errors.map((branch) => branch.find((one) => one.code === 'unrecognized_keys') ?? branch[0]).filter((one) => one !== undefined && !(one.path.length === 0 && (one.code === 'invalid_type' || one.code === 'invalid_value')));
    const nearest = meant.find((one) => one!.code === 'unrecognized_keys' || one!.path.length > 0) ?? (meant.length === 1 ? meant[0] : undefined);
    if (nearest !== undefined) return readIssue(nearest, path);
  }
  return { path, detail: issue.message, unknownKey: false };
}

function unknownKeys(keys: readonly string[]): string {
  const more = keys.length - KEYS_NAMED;
  return `unknown key ${keys.slice(0, KEYS_NAMED).map((key) => `"${cutText(key, KEY_LENGTH)}"`).join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}

const fieldOf = (path: readonly PropertyKey[]): string => cutText(path.map((key) => cutText(String(key), KEY_LENGTH)).join('.'), FIELD_LENGTH);

/**
 * Parses what came from outside. Throws a TradeMindError with the given code that names the first wrong field; the value itself is not
 * repeated, for it may be a secret.
 */
export function parseWith<T extends z.ZodMiniType>(schema: T, value: unknown, code: string, what: string): z.output<T> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const { path, detail, unknownKey } = firstIssue(result.error);
  const field = fieldOf(path);
  const place = unknownKey ? fieldOf(path.slice(0, -1)) : field;
  throw new TradeMindError({ code, message: `${what}${place ? `: ${place}` : ''}: ${detail}`, field: field || undefined });
}
