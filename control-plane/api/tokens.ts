import { createHash, randomBytes } from 'node:crypto';
import { AccessTokenMade, AccessTokenRequest, AccessTokenView } from '@trademind/core';
import { z } from 'zod';
import type { TokenRow } from '../database/account.ts';
import { callerOf, type ApiContext } from './context.ts';
import { IdParams } from './parts.ts';
import { ApiProblem } from './problems.ts';
import type { Api } from './schema.ts';

const tags = ['me'];
/** So that a token is known for one wherever it turns up. */
export const ACCESS_TOKEN = /^tm_[\w-]{43}$/;

/** What the database keeps of a token. */
export const hashOfToken = (token: string): string => createHash('sha256').update(token).digest('hex');

/** Tokens for scripts. */
export function tokenRoutes(api: Api, { account }: ApiContext): void {
  api.route({
    method: 'GET',
    url: '/v1/me/tokens',
    schema: { tags, summary: 'Your access tokens', response: { 200: z.object({ items: z.array(AccessTokenView) }) } },
    handler: async (request) => ({ items: (await account.tokens(callerOf(request).userId)).map(tokenView) }),
  });
  api.route({
    method: 'POST',
    url: '/v1/me/tokens',
    schema: { tags, summary: 'Make an access token', description: 'For scripts: it can do what its scopes say and no more, until it expires or is revoked. It is shown this once.', body: AccessTokenRequest, response: { 201: AccessTokenMade } },
    handler: async (request, reply) => {
      const { userId, operator } = callerOf(request);
      const { name, scopes, expiresInDays } = request.body;
      if (scopes.includes('operator') && !operator) throw new ApiProblem(403, { code: 'operator_only', message: 'Only operators have the scope "operator".', field: 'scopes', nextStep: 'Leave it out.' });
      const token = `tm_${randomBytes(32).toString('base64url')}`;
      const row = await account.createToken({ userId, name, hash: hashOfToken(token), scopes, days: expiresInDays });
      void reply.headers({ location: `/v1/me/tokens/${row.id}`, 'cache-control': 'no-store' });
      return reply.status(201).send({ ...tokenView(row), token });
    },
  });
  api.route({
    method: 'DELETE',
    url: '/v1/me/tokens/:id',
    schema: { tags, summary: 'Revoke an access token', description: 'At once.', params: IdParams, response: { 204: z.null() } },
    handler: async (request, reply) => {
      if (!(await account.revokeToken(callerOf(request).userId, request.params.id))) throw new ApiProblem(404, { code: 'access_token_not_found', message: 'You have no access token of this id.', nextStep: 'List yours with GET /v1/me/tokens.' });
      return reply.status(204).send(null);
    },
  });
}

const iso = (time: string) => new Date(time).toISOString();
const tokenView = (row: TokenRow): AccessTokenView => ({
  id: row.id, name: row.name, scopes: row.scopes, createdAt: iso(row.created_at), expiresAt: iso(row.expires_at), lastUsedAt: row.last_used_at === null ? null : iso(row.last_used_at),
});
