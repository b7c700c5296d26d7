import { createHash } from 'node:crypto';

/** Equal values give equal hashes, whatever the order of their keys. */
export function hashOf(value: unknown): string {
  return createHash('sha256').update(JSON.stringify(value, (_key, part: unknown) =>
    (typeof part === 'object' && part !== null && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1)))
      : part))).digest('hex').slice(0, 32);
}

/** Environment that a machine needs for its birth alone: it follows newer ones with its beat, so another one is no reason to restart it. */
const BIRTH_ONLY = 'TICKET_JWKS';

/** The part of an environment for which a machine would have to start anew. */
export function lastingEnv(env: Readonly<Record<string, string>> | null | undefined): Record<string, string> {
  return Object.fromEntries(Object.entries(env ?? {}).filter(([name]) => name !== BIRTH_ONLY));
}
