import { randomUUID } from 'node:crypto';
import { FEED_SCOPES, TICKET_ISSUER, TICKET_MAX_AGE_S, TicketClaims, machineAudience, type FeedScope } from '@trademind/core';
import { SignJWT, createLocalJWKSet, decodeProtectedHeader, errors, jwtVerify, type JSONWebKeySet, type JWTPayload } from 'jose';
import type { UsedTickets } from './options.ts';
import { FeedRefusal, type RefusalCode } from './refusal.ts';

/** Clocks of the control plane and of a machine may differ by so much. */
const CLOCK_TOLERANCE_S = 5;
const SESSION_ISSUER = 'trademind-machine';

/** Who is on a connection, and with what rights. A chain of sessions keeps its id and the ticket's time. */
export interface Grant { sessionId: string; scopes: readonly FeedScope[]; /** When the ticket was given (ms). */ authenticatedAt: number }
export interface Session { token: string; /** Wall ms. */ expiresAt: number }

export interface Gate {
  /** Opens a ticket (once) or a session token. Throws FeedRefusal. */
  open(jwt: string): Promise<Grant>;
  openTicket(jwt: string): Promise<Grant>;
  openSession(jwt: string): Promise<Grant>;
  /** The next session token of a chain; it ends no later than the chain. */
  issue(grant: Grant): Promise<Session>;
}

interface GateOptions {
  machineId: string;
  userId: string;
  ticketJwks: JSONWebKeySet | (() => JSONWebKeySet);
  sessionKey: Uint8Array;
  usedTickets: UsedTickets;
  sessionMs: number;
  chainMs: number;
  now: () => number;
}

/** Checks tickets (EdDSA, by the control plane's public keys) and sessions (HS256, by this machine's own key). */
export function createGate(options: GateOptions): Gate {
  const { machineId, userId, sessionKey, usedTickets, now } = options;
  if (sessionKey.length < 32) throw new RangeError('sessionKey needs at least 32 bytes');
  const audience = machineAudience(machineId);
  const keys = keySource(options.ticketJwks);

  const openTicket = async (jwt: string): Promise<Grant> => {
    const payload = await verified('ticket', () => jwtVerify(jwt, keys(), {
      algorithms: ['EdDSA'], issuer: TICKET_ISSUER, audience, maxTokenAge: TICKET_MAX_AGE_S, clockTolerance: CLOCK_TOLERANCE_S, currentDate: new Date(now()),
    }));
    const parsed = TicketClaims.safeParse(payload);
    if (!parsed.success) throw new FeedRefusal('ticket_invalid');
    const { sub, scope, jti, iat, exp } = parsed.data;
    if (exp - iat > TICKET_MAX_AGE_S) throw new FeedRefusal('ticket_invalid');
    if (sub !== userId) throw new FeedRefusal('wrong_user');
    const scopes = scopesOf(scope);
    if (!scopes.includes('feed:read')) throw new FeedRefusal('scope_missing');
    // Nothing is awaited between the look and the mark: two uses at once cannot both pass.
    if (usedTickets.has(jti)) throw new FeedRefusal('ticket_used');
    usedTickets.add(jti, (exp + CLOCK_TOLERANCE_S) * 1_000);
    return { sessionId: randomUUID(), scopes, authenticatedAt: iat * 1_000 };
  };

  const openSession = async (jwt: string): Promise<Grant> => {
    const payload = await verified('session', () => jwtVerify(jwt, sessionKey, {
      algorithms: ['HS256'], issuer: SESSION_ISSUER, audience, requiredClaims: ['exp'], currentDate: new Date(now()),
    }));
    const { sub, sid, scope, auth_time: authTime } = payload;
    if (typeof sid !== 'string' || typeof scope !== 'string' || typeof authTime !== 'number') throw new FeedRefusal('session_invalid');
    if (sub !== userId) throw new FeedRefusal('wrong_user');
    return { sessionId: sid, scopes: scopesOf(scope), authenticatedAt: authTime * 1_000 };
  };

  return {
    openTicket,
    openSession,
    open: (jwt) => (isSessionToken(jwt) ? openSession(jwt) : openTicket(jwt)),
    async issue({ sessionId, scopes, authenticatedAt }) {
      const expiresAt = Math.min(now() + options.sessionMs, authenticatedAt + options.chainMs);
      const seconds = Math.floor(expiresAt / 1_000);
      const token = await new SignJWT({ sid: sessionId, scope: scopes.join(' '), auth_time: Math.floor(authenticatedAt / 1_000) })
        .setProtectedHeader({ alg: 'HS256' }).setIssuer(SESSION_ISSUER).setAudience(audience).setSubject(userId)
        .setIssuedAt(Math.floor(now() / 1_000)).setExpirationTime(seconds).sign(sessionKey);
      return { token, expiresAt: seconds * 1_000 };
    },
  };
}

/** Tickets seen, in memory, forgotten once their age alone refuses them. */
export function createUsedTickets(now: () => number): UsedTickets {
  const seen = new Map<string, number>();
  return {
    has: (jti) => seen.has(jti),
    add(jti, expiresAt) {
      for (const [old, until] of seen) if (until < now()) seen.delete(old);
      seen.set(jti, expiresAt);
    },
  };
}

function isSessionToken(jwt: string): boolean {
  try {
    return decodeProtectedHeader(jwt).alg === 'HS256';
  } catch {
    throw new FeedRefusal('ticket_invalid');
  }
}

function scopesOf(text: string): FeedScope[] {
  const named = new Set(text.split(' '));
  return FEED_SCOPES.filter((scope) => named.has(scope));
}

type LocalKeys = ReturnType<typeof createLocalJWKSet>;

function keySource(jwks: GateOptions['ticketJwks']): () => LocalKeys {
  if (typeof jwks !== 'function') {
    const keys = createLocalJWKSet(jwks);
    return () => keys;
  }
  let of: JSONWebKeySet | undefined;
  let keys: LocalKeys | undefined;
  return () => {
    const latest = jwks();
    if (keys === undefined || latest !== of) [of, keys] = [latest, createLocalJWKSet(latest)];
    return keys;
  };
}

/** The claims, or a FeedRefusal that says in one word what was wrong. */
async function verified(kind: 'ticket' | 'session', verify: () => Promise<{ payload: JWTPayload }>): Promise<JWTPayload> {
  try {
    return (await verify()).payload;
  } catch (error) {
    throw new FeedRefusal(refusalFor(kind, error));
  }
}

function refusalFor(kind: 'ticket' | 'session', error: unknown): RefusalCode {
  if (error instanceof errors.JWTExpired) return `${kind}_expired`;
  if (error instanceof errors.JWTClaimValidationFailed && error.claim === 'aud') return 'wrong_machine';
  return `${kind}_invalid`;
}
