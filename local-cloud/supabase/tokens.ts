import { createLocalJWKSet, errors, importJWK, jwtVerify, SignJWT, type CryptoKey, type JWK, type JWTPayload } from 'jose';
import type { Caller } from './answer.ts';
import type { SigningKey } from './signing-keys.ts';

export const ACCESS_TOKEN_SECONDS = 3_600;
const ROLES = ['anon', 'authenticated', 'service_role', 'machine'] as const;
/** What a token may be meant for. A machine's token may say `machine`; a user's says `authenticated`. */
const AUDIENCES: Readonly<Record<Caller['role'], readonly string[]>> = {
  anon: ['anon', 'authenticated'], authenticated: ['authenticated'], service_role: ['authenticated', 'service_role'], machine: ['authenticated', 'machine'],
};

/** Why a bearer token was refused. `expired` tells a client to refresh. */
export class TokenError extends Error {
  readonly expired: boolean;

  constructor(message: string, expired = false) {
    super(message);
    this.expired = expired;
  }
}

export interface Tokens {
  /** Public keys for `/.well-known/jwks.json`. */
  jwks(): Promise<{ keys: JWK[] }>;
  /** Signs with the key in use; `expiresAt` in seconds since 1970. */
  sign(claims: JWTPayload, seconds: number): Promise<{ token: string; expiresAt: number }>;
  /** Role and claims of a bearer token. Throws TokenError. */
  verify(token: string): Promise<Caller & { claims: JWTPayload }>;
}

/**
 * Signs users' access tokens with the project's ES256 key in use and verifies tokens by the project's JWKS: its keys that are not revoked and those
 * imported (the control plane's, for role machine). `issuer` is `<url>/auth/v1`.
 */
export function createTokens(ring: { list(): Promise<readonly SigningKey[]> }, extra: readonly JWK[], issuer: () => string, now: () => number): Tokens {
  const keysOf = remember(async (keys: readonly SigningKey[]) => {
    const present = keys.find((key) => key.status === 'in_use') as SigningKey;
    const jwks = { keys: [...keys.filter((key) => key.status !== 'revoked').map((key) => key.jwk), ...extra].map(publicHalf) };
    return { kid: present.id, signing: (await importJWK({ ...present.jwk, alg: 'ES256' }, 'ES256')) as CryptoKey, jwks, verifying: createLocalJWKSet(jwks) };
  });
  const present = async () => keysOf(await ring.list());
  return {
    jwks: async () => (await present()).jwks,
    sign: async (claims, seconds) => {
      const { kid, signing } = await present();
      const at = Math.floor(now() / 1_000);
      const token = await new SignJWT({ ...claims }).setProtectedHeader({ alg: 'ES256', typ: 'JWT', kid })
        .setIssuer(issuer()).setIssuedAt(at).setExpirationTime(at + seconds).sign(signing);
      return { token, expiresAt: at + seconds };
    },
    verify: async (token) => {
      const { verifying } = await present();
      const claims = await jwtVerify(token, verifying, { algorithms: ['ES256', 'RS256'], requiredClaims: ['exp'], clockTolerance: 30, currentDate: new Date(now()) })
        .then(({ payload }) => payload, (error: unknown) => { throw refusal(error); });
      const role = claims['role'] ?? 'anon';
      if (!isRole(role)) throw new TokenError('The token names a role that this project does not know.');
      const audiences = typeof claims.aud === 'string' ? [claims.aud] : (claims.aud ?? []);
      const meant = role === 'authenticated' || audiences.length > 0;
      if (meant && !audiences.some((one) => AUDIENCES[role].includes(one))) throw new TokenError('JWT not in audience');
      return { role, claims: { ...claims, role } };
    },
  };
}

/** Computes again only for another argument: the ring hands out the same list until a key changes. */
function remember<A extends object, R>(compute: (argument: A) => Promise<R>): (argument: A) => Promise<R> {
  let last: { argument: A; result: Promise<R> } | null = null;
  return (argument) => {
    if (last?.argument !== argument) last = { argument, result: compute(argument) };
    return last.result;
  };
}

const isRole = (role: unknown): role is Caller['role'] => (ROLES as readonly unknown[]).includes(role);

/** A key as it is published. */
export function publicHalf(jwk: JWK): JWK {
  const { d: _d, p: _p, q: _q, dp: _dp, dq: _dq, qi: _qi, k: _k, ...open } = jwk;
  return { ...open, alg: jwk.alg ?? (jwk.kty === 'RSA' ? 'RS256' : 'ES256'), use: 'sig', key_ops: ['verify'] };
}

function refusal(error: unknown): TokenError {
  if (error instanceof errors.JWTExpired) return new TokenError('JWT expired', true);
  if (error instanceof errors.JWKSNoMatchingKey) return new TokenError('No suitable key was found to decode the JWT');
  return new TokenError('The JWT is malformed or its signature does not fit');
}
