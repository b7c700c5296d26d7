import { createLocalJWKSet, errors, importJWK, jwtVerify, SignJWT, type CryptoKey, type JWK, type JWTPayload } from 'jose';
import type { Caller } from './answer.ts';

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
  jwks: { keys: JWK[] };
  sign(claims: JWTPayload, seconds: number): Promise<string>;
  /** Role and claims of a bearer token. Throws TokenError. */
  verify(token: string): Promise<Caller & { claims: JWTPayload }>;
}

/**
 * Signs users' access tokens with the project's ES256 key and verifies tokens by the project's JWKS: that key and those imported
 * (the control plane's, for role machine). `issuer` is `<url>/auth/v1`.
 */
export async function createTokens(signing: JWK, extra: readonly JWK[], issuer: () => string, now: () => number): Promise<Tokens> {
  if (signing.kty !== 'EC' || signing.crv !== 'P-256' || signing.d === undefined || signing.kid === undefined) {
    throw Object.assign(new Error('The signing key must be a private ES256 JWK with a kid.'), { code: 'signing_key_invalid' });
  }
  const key = (await importJWK({ ...signing, alg: 'ES256' }, 'ES256')) as CryptoKey;
  const jwks = { keys: [signing, ...extra].map(publicHalf) };
  const keys = createLocalJWKSet(jwks);
  return {
    jwks,
    sign: (claims, seconds) => {
      const at = Math.floor(now() / 1_000);
      return new SignJWT({ ...claims }).setProtectedHeader({ alg: 'ES256', typ: 'JWT', kid: signing.kid as string })
        .setIssuer(issuer()).setIssuedAt(at).setExpirationTime(at + seconds).sign(key);
    },
    verify: async (token) => {
      const claims = await jwtVerify(token, keys, { algorithms: ['ES256', 'RS256'], requiredClaims: ['exp'], clockTolerance: 30, currentDate: new Date(now()) })
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

const isRole = (role: unknown): role is Caller['role'] => (ROLES as readonly unknown[]).includes(role);

function publicHalf(jwk: JWK): JWK {
  const { d: _d, p: _p, q: _q, dp: _dp, dq: _dq, qi: _qi, k: _k, ...open } = jwk;
  return { ...open, alg: jwk.alg ?? (jwk.kty === 'RSA' ? 'RS256' : 'ES256'), use: 'sig', key_ops: ['verify'] };
}

function refusal(error: unknown): TokenError {
  if (error instanceof errors.JWTExpired) return new TokenError('JWT expired', true);
  if (error instanceof errors.JWKSNoMatchingKey) return new TokenError('No suitable key was found to decode the JWT');
  return new TokenError('The JWT is malformed or its signature does not fit');
}
