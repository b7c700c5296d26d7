import { FEED_SCOPES, MachineTokenClaims, TICKET_ISSUER, TICKET_MAX_AGE_S, TicketClaims, machineAudience, type FeedScope } from '@trademind/core';
import { createLocalJWKSet, SignJWT, importJWK, jwtVerify, type JSONWebKeySet, type JWK } from 'jose';

/** How long a machine's database token lives. */
export const MACHINE_TOKEN_SECONDS = 3_600;

/** A revoked access token ends a watch after so long at most. */
const USER_TOKEN_SECONDS = 300;

export interface Signed { token: string; expiresAt: Date }

/** What the control plane signs: machines' database tokens and tickets to machines. */
export interface Signer {
  /** ES256, for PostgREST: role machine, bound to the row's epoch. */
  machineToken(machine: { machineId: string; userId: string; epoch: number }): Promise<Signed>;
  /** ES256, for PostgREST: role authenticated, in the name of a user whose access token was shown. Lives as long as a watch may. */
  userToken(owner: { userId: string; tokenId: string; operator: boolean }): Promise<Signed>;
  /** The claims of a database token that one of these keys has signed and that has not ended; null for any other. Whether it was revoked the database knows. */
  readMachineToken(token: string): Promise<MachineTokenClaims | null>;
  /** EdDSA, at most 60 s, one use, for one machine. */
  ticket(wish: { machineId: string; userId: string; scopes: readonly FeedScope[] }): Promise<Signed>;
  /** Public halves of the ticket keys, as a JWKS in JSON: what machines verify with. */
  ticketJwks: string;
}

/** Only the public members of an OKP or EC key. */
function publicHalf(jwk: JWK, alg: string): JWK {
  const { kty, crv, x, y, kid } = jwk;
  return { kty, ...(crv ? { crv } : {}), ...(x ? { x } : {}), ...(y ? { y } : {}), ...(kid ? { kid } : {}), alg, use: 'sig' } as JWK;
}

/** One private key, or a set of which the first signs. */
function keysOf(text: string): [JWK, ...JWK[]] {
  const value = JSON.parse(text) as JWK | { keys: [JWK, ...JWK[]] };
  return Array.isArray((value as { keys?: unknown }).keys) ? (value as { keys: [JWK, ...JWK[]] }).keys : [value as JWK];
}

export async function createSigner(options: { machineTokenJwk: string; ticketJwk: string; now: () => number; randomUuid: () => string }): Promise<Signer> {
  const machineJwks = keysOf(options.machineTokenJwk);
  const [machineJwk] = machineJwks;
  const ticketJwks = keysOf(options.ticketJwk);
  const [ticketJwk] = ticketJwks;
  const [machineKey, ticketKey] = await Promise.all([importJWK(machineJwk, 'ES256'), importJWK(ticketJwk, 'EdDSA')]);
  const machinePublic = createLocalJWKSet({ keys: machineJwks.map((key) => publicHalf(key, 'ES256')) as JSONWebKeySet['keys'] });
  const seconds = () => Math.floor(options.now() / 1_000);

  return {
    async machineToken({ machineId, userId, epoch }) {
      const iat = seconds();
      const claims = MachineTokenClaims.parse({
        role: 'machine', aud: 'authenticated', sub: userId, machine_id: machineId, epoch, iat, exp: iat + MACHINE_TOKEN_SECONDS,
      });
      const token = await new SignJWT(claims).setProtectedHeader({ alg: 'ES256', typ: 'JWT', ...(machineJwk.kid ? { kid: machineJwk.kid } : {}) }).sign(machineKey);
      return { token, expiresAt: new Date(claims.exp * 1_000) };
    },
    async userToken({ userId, tokenId, operator }) {
      const iat = seconds();
      const exp = iat + USER_TOKEN_SECONDS;
      const token = await new SignJWT({ role: 'authenticated', aud: 'authenticated', sub: userId, access_token: tokenId, iat, exp, ...(operator ? { app_metadata: { trademind_role: 'operator' } } : {}) })
        .setProtectedHeader({ alg: 'ES256', typ: 'JWT', ...(machineJwk.kid ? { kid: machineJwk.kid } : {}) }).sign(machineKey);
      return { token, expiresAt: new Date(exp * 1_000) };
    },
    async readMachineToken(token) {
      try {
        const { payload } = await jwtVerify(token, machinePublic, { algorithms: ['ES256'], audience: 'authenticated', currentDate: new Date(options.now()) });
        return MachineTokenClaims.parse(payload);
      } catch {
        return null;
      }
    },
    async ticket({ machineId, userId, scopes }) {
      const iat = seconds();
      const claims = TicketClaims.parse({
        iss: TICKET_ISSUER, aud: machineAudience(machineId), sub: userId, scope: FEED_SCOPES.filter((scope) => scopes.includes(scope)).join(' '),
        jti: options.randomUuid(), iat, exp: iat + TICKET_MAX_AGE_S,
      });
      const token = await new SignJWT(claims).setProtectedHeader({ alg: 'EdDSA', typ: 'JWT', ...(ticketJwk.kid ? { kid: ticketJwk.kid } : {}) }).sign(ticketKey);
      return { token, expiresAt: new Date(claims.exp * 1_000) };
    },
    ticketJwks: JSON.stringify({ keys: ticketJwks.map((key) => publicHalf(key, 'EdDSA')) }),
  };
}
