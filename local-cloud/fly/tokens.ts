import { createHmac } from 'node:crypto';
import { sameSecret } from '../shared/http.ts';

/** Who holds the stand-in's own token. */
export const OWNER = 'operator@local';

/** A token of its own for somebody with a name, so that the journal and the leases can tell callers apart. Made from the stand-in's token: nothing is kept but, until the stand-in ends, which were revoked. */
export const namedToken = (token: string, name: string): string => `${Buffer.from(name).toString('base64url')}.${createHmac('sha256', token).update(name).digest('base64url')}`;

/** Who sends this Authorization header; null when nobody whom this stand-in knows, or whose token was revoked. `raw`: the log API takes the token without a scheme. */
export function whoHolds(header: string | undefined, token: string, revoked: ReadonlySet<string>, raw = false): string | null {
  const given = /^(?:Bearer|FlyV1) (.+)$/i.exec(header ?? '')?.[1] ?? (raw ? header : undefined);
  if (given === undefined) return null;
  if (sameSecret(given, token)) return OWNER;
  const name = Buffer.from(given.split('.')[0] ?? '', 'base64url').toString();
  return sameSecret(given, namedToken(token, name)) && !revoked.has(name) ? name : null;
}
