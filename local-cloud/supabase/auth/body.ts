import type { Call } from '../answer.ts';
import { AuthError } from './errors.ts';

export type Fields = Readonly<Record<string, unknown>>;
const invalid = (message: string) => new AuthError(400, 'validation_failed', message);

/** The JSON object of a request's body; {} for none. Throws bad_json. */
export function readFields(call: Call): Fields {
  if (call.body.trim() === '') return {};
  try {
    const value: unknown = JSON.parse(call.body);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Fields;
  } catch { /* answered below */ }
  throw new AuthError(400, 'bad_json', 'Could not parse request body as JSON object');
}

export function emailOf(fields: Fields): string {
  const { email } = fields;
  if (typeof email !== 'string' || email === '') throw invalid('An email address is required');
  if (email.length > 320 || !/^[^\s@]+@[^\s@]+$/.test(email)) throw invalid('Unable to validate email address: invalid format');
  return email.toLowerCase();
}

/** Throws weak_password below six characters. */
export function passwordOf(fields: Fields): string {
  const { password } = fields;
  if (typeof password !== 'string' || password === '') throw invalid('A password is required');
  if (password.length < 6) throw new AuthError(422, 'weak_password', 'Password should be at least 6 characters.', {}, { weak_password: { reasons: ['length'] } });
  if (password.length > 256) throw invalid('Password cannot be longer than 256 characters');
  return password;
}

export function objectOf(fields: Fields, name: string): Record<string, unknown> | undefined {
  const value = fields[name];
  if (value === undefined || value === null) return undefined;
  if (typeof value !== 'object' || Array.isArray(value)) throw invalid(`${name} must be an object`);
  return value as Record<string, unknown>;
}

export function textOf(fields: Fields, name: string): string {
  const value = fields[name];
  if (typeof value !== 'string' || value === '') throw invalid(`${name} is required`);
  return value;
}

/** A text that may be left out. */
export function optionalText(fields: Fields, name: string): string | null {
  const value = fields[name];
  return value === undefined || value === null || value === '' ? null : textOf(fields, name);
}

/** GoTrue's `ban_duration`: `none`, or a sum such as `24h` or `1h30m`. */
export function bannedUntil(fields: Fields, now: number): Date | null | undefined {
  const value = fields['ban_duration'];
  if (value === undefined) return undefined;
  if (value === 'none') return null;
  const parts = typeof value === 'string' && /^(\d+[smh])+$/.test(value) ? (value.match(/\d+[smh]/g) ?? []) : [];
  if (parts.length === 0) throw invalid('invalid format for ban duration');
  const units = { s: 1_000, m: 60_000, h: 3_600_000 };
  return new Date(now + parts.reduce((sum, part) => sum + Number(part.slice(0, -1)) * units[part.at(-1) as 's' | 'm' | 'h'], 0));
}
