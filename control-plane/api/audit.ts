import { AuditPage, type AuditEntry } from '@trademind/core';
import { z } from 'zod';
import type { AuditRow } from '../database/user.ts';
import { callerOf, type ApiContext } from './context.ts';
import type { Api } from './schema.ts';

const Query = z.object({
  limit: z.coerce.number().int().min(1).max(200).default(50),
  /** The `next` of the page before. */
  cursor: z.string().regex(/^\d{1,15}$/, 'the `next` of the page before').optional(),
  user: z.uuid().optional(),
  actor: z.uuid().optional(),
  action: z.string().regex(/^[a-z_]{1,63}\.(insert|update|delete)$/).optional(),
});

/** The audit log, newest first. Read with the operator's own token: the database decides who is one. */
export function auditRoutes(api: Api, { userDatabase }: ApiContext): void {
  api.route({
    method: 'GET',
    url: '/v1/audit',
    schema: { tags: ['operators'], summary: 'Who did what', description: 'Every wish, plan, budget, key and token: who changed it, when, what it was before and after. Nobody can change an entry.', querystring: Query, response: { 200: AuditPage } },
    handler: async (request) => {
      const { limit, cursor, ...filter } = request.query;
      const rows = await userDatabase(callerOf(request).token).audit({ ...filter, before: cursor === undefined ? null : Number(cursor), limit: limit + 1 });
      const items = rows.slice(0, limit).map(auditView);
      return { items, next: rows.length > limit ? String(items.at(-1)?.id) : null };
    },
  });
}

const auditView = (row: AuditRow): AuditEntry => ({
  id: row.id, at: new Date(row.at).toISOString(), actor: { kind: row.actor_kind, id: row.actor_id, via: row.via }, requestId: row.request_id, action: row.action, userId: row.subject_user, subject: row.subject,
  before: row.before, after: row.after,
});
