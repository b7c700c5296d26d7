import type { FastifyRequest } from 'fastify';
import { createRemoteJWKSet, customFetch, decodeProtectedHeader, errors, jwtVerify, type JWTPayload } from 'jose';
import { z } from 'zod';
import type { AccountDatabase } from '../database/account.ts';
import type { Signer } from '../keys.ts';
import { ApiProblem } from './problems.ts';
import { ACCESS_TOKEN, hashOfToken } from './tokens.ts';

/**
 * Who calls: a signed-in user, or a script with a user's access token (`scopes` says what for; null: a session, all). `token` goes on to the database, whose row-level security decides what is seen.
 */
export interface Caller { userId: string; email: string | null; role: string; operator: boolean; token: string; expiresAt: number; scopes: readonly string[] | null; tokenId: string | null }

export interface Authenticator {
  /** Throws 401 for every token that is not a signed-in user's, 503 when the keys cannot be had. */
  user(request: FastifyRequest): Promise<Caller>;
  /** Whether the keys of the identity provider were ever read. */
  hasKeys(): boolean;
}

const Claims = z.object({
  sub: z.uuid(),
  exp: z.number(),
  role: z.literal('authenticated'),
  email: z.string().optional(),
  app_metadata: z.object({ trademind_role: z.string().optional() }).optional(),
});

interface AuthOptions {
  supabaseUrl: string;
  /** The project's shared secret; undefined: only tokens that its published keys signed are taken. */
  jwtSecret: string | undefined;
  fetch: typeof fetch;
  tokenByHash: AccountDatabase['tokenByHash'];
  /** A short-lived token for the database, in the name of an access token's user. */
  userToken: Signer['userToken'];
}

/**
 * Users' tokens are verified against Supabase Auth's published keys: signature, issuer, audience, expiry, role and subject. A project that still
 * signs with one shared secret (HS256) has its tokens verified with that, when it is configured; a public key is never taken for a secret.
 */
export function createAuthenticator(options: AuthOptions): Authenticator {
  const issuer = `${options.supabaseUrl}/auth/v1`;
  const secret = options.jwtSecret === undefined ? undefined : new TextEncoder().encode(options.jwtSecret);
  const keys = createRemoteJWKSet(new URL(`${issuer}/.well-known/jwks.json`), { cooldownDuration: 5_000, [customFetch]: options.fetch });

  return {
    async user(request) {
      const token = bearerOf(request);
      if (ACCESS_TOKEN.test(token)) return script(token);
      let payload: unknown;
      try {
        payload = await verified(token);
      } catch (error) {
        if (isKeyTrouble(error)) {
          throw new ApiProblem(503, { code: 'auth_unavailable', message: 'The keys that tokens are verified with cannot be read now.', nextStep: 'Repeat in a few seconds.', cause: error });
        }
        throw refused(error);
      }
      const claims = Claims.safeParse(payload);
      if (!claims.success) throw refused(claims.error);
      const { sub, exp, email, app_metadata: metadata } = claims.data;
      return { userId: sub, email: email || null, role: metadata?.trademind_role ?? 'user', operator: metadata?.trademind_role === 'operator', token, expiresAt: exp * 1_000, scopes: null, tokenId: null };
    },
    hasKeys: () => secret !== undefined || keys.jwks() !== undefined,
  };

  async function verified(token: string): Promise<JWTPayload> {
    const rules = { issuer, audience: 'authenticated', clockTolerance: 5 };
    if (secret !== undefined && algorithmOf(token) === 'HS256') return (await jwtVerify(token, secret, { ...rules, algorithms: ['HS256'] })).payload;
    return (await jwtVerify(token, keys, { ...rules, algorithms: ['ES256', 'RS256', 'EdDSA'] })).payload;
  }

  async function script(token: string): Promise<Caller> {
    const owner = await options.tokenByHash(hashOfToken(token));
    if (owner === null) throw refused(undefined);
    const operator = owner.role === 'operator' && owner.scopes.includes('operator');
    const signed = await options.userToken({ userId: owner.user_id, tokenId: owner.id, operator });
    return { userId: owner.user_id, email: owner.email, role: owner.role ?? 'user', operator, token: signed.token, expiresAt: Math.min(signed.expiresAt.getTime(), Date.parse(owner.expires_at)), scopes: owner.scopes, tokenId: owner.id };
  }
}

const refused = (cause: unknown) => new ApiProblem(401, { code: 'token_refused', message: 'The token is not a signed-in user\'s, or no longer valid.', nextStep: 'Sign in again.', cause });

/** The token of `Authorization: Bearer …`; throws 401 without one. */
export function bearerOf(request: FastifyRequest): string {
  const token = /^Bearer ([^\s]{1,8192})$/i.exec(request.headers.authorization ?? '')?.[1];
  if (token === undefined) throw new ApiProblem(401, { code: 'token_missing', message: 'This needs a token.', nextStep: 'Send the header "Authorization: Bearer <token>".' });
  return token;
}

/** What a token says it is signed with; undefined when it cannot be read. */
function algorithmOf(token: string): string | undefined {
  try {
    return decodeProtectedHeader(token).alg;
  } catch {
    return undefined;
  }
}

/** The keys could not be fetched: that says nothing about the token. */
function isKeyTrouble(error: unknown): boolean {
  if (error instanceof errors.JWKSTimeout || error instanceof errors.JWKSInvalid) return true;
  if (error instanceof errors.JOSEError) return error.code === 'ERR_JOSE_GENERIC';
  return true;
}
