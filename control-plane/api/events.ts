import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ServerResponse } from 'node:http';
import { MachineEventPage } from '@trademind/core';
import { z } from 'zod';
import { DatabaseError } from '../database/errors.ts';
import type { UserDatabase } from '../database/user.ts';
import { callerOf, type ApiContext } from './context.ts';
import { IdParams } from './parts.ts';
import { ApiProblem, machineNotFound } from './problems.ts';
import type { Api } from './schema.ts';
import { eventView } from './views.ts';

const Query = z.object({ after: z.coerce.number().int().min(0).default(0), limit: z.coerce.number().int().min(1).max(500).default(100) });

/** A client that was cut off says what it saw last; one that saw nothing yet may send it empty. */
const Headers = z.looseObject({
  'last-event-id': z.union([z.literal('').transform(() => undefined), z.string().regex(/^\d{1,15}$/, 'not the id of an event').transform(Number)]).optional(),
});

/** Other replicas and the machine itself write events too: they are found by looking. */
const POLL_MS = 1_000;
const HEARTBEAT_MS = 15_000;
const BATCH = 200;
/** Streams of one user that this replica keeps open at once. */
const STREAMS_PER_USER = 20;

/** What happened to a machine: a page, or (Accept: text/event-stream) all that happens from now on. */
export function eventRoutes(api: Api, context: ApiContext): void {
  const open = new Map<string, number>();
  api.route({
    method: 'GET',
    url: '/v1/machines/:id/events',
    // a HEAD of what never ends would never be answered
    exposeHeadRoute: false,
    schema: {
      tags: ['machines'], summary: 'What happened to a machine',
      description: 'JSON: a page of events after `after`, oldest first. With `Accept: text/event-stream`: server-sent events, each with its id; resume with `Last-Event-ID`.',
      params: IdParams, querystring: Query, headers: Headers, response: { 200: MachineEventPage }, alsoStreams: true,
    },
    handler: async (request, reply) => {
      const { caller, id } = { caller: callerOf(request), id: request.params.id };
      const database = context.userDatabase(caller.token);
      if ((await database.machine(id)) === null) throw machineNotFound();
      if (!wantsStream(request.headers.accept)) {
        const { after, limit } = request.query;
        const rows = await database.events(id, after, limit + 1);
        const items = rows.slice(0, limit).map(eventView);
        return { items, next: rows.length > limit ? String(items.at(-1)?.id) : null };
      }
      const after = request.headers['last-event-id'] ?? request.query.after;
      const streams = open.get(caller.userId) ?? 0;
      if (streams >= STREAMS_PER_USER) throw new ApiProblem(429, { code: 'too_many_streams', message: `You watch ${streams} streams already.`, nextStep: 'Close some, then watch again.' });
      open.set(caller.userId, streams + 1);
      reply.hijack();
      for (const [name, value] of Object.entries(reply.getHeaders())) if (value !== undefined) reply.raw.setHeader(name, value);
      reply.raw.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8', 'cache-control': 'no-store', 'x-accel-buffering': 'no' });
      const ended = new AbortController();
      reply.raw.once('close', () => ended.abort());
      const expiry = setTimeout(() => ended.abort(), Math.max(0, caller.expiresAt - context.now()));
      try {
        await stream(reply.raw, database, id, after, AbortSignal.any([ended.signal, context.closing]));
      } catch (error) {
        if (!ended.signal.aborted && !context.closing.aborted) request.log.info({ err: error }, 'event stream ended');
      } finally {
        clearTimeout(expiry);
        const left = (open.get(caller.userId) ?? 1) - 1;
        if (left > 0) open.set(caller.userId, left);
        else open.delete(caller.userId);
        reply.raw.end();
      }
      return reply;
    },
  });

  async function stream(raw: ServerResponse, database: UserDatabase, machineId: string, after: number, end: AbortSignal): Promise<void> {
    const write = async (text: string) => { if (!raw.write(text)) await once(raw, 'drain', { signal: end }); };
    let hinted = new AbortController();
    const leave = context.hub.watch(machineId, () => hinted.abort());
    let last = after;
    let beatAt = context.now();
    try {
      await write('retry: 1000\n\n');
      while (!end.aborted) {
        hinted = new AbortController();
        const rows = await patient(database.events(machineId, last, BATCH));
        for (const row of rows) {
          last = row.id;
          await write(`id: ${row.id}\nevent: ${row.kind}\ndata: ${JSON.stringify(eventView(row))}\n\n`);
        }
        if (rows.length === BATCH) continue;
        if (context.now() - beatAt >= HEARTBEAT_MS) {
          beatAt = context.now();
          await write(': still here\n\n');
        }
        await sleep(POLL_MS, undefined, { signal: AbortSignal.any([end, hinted.signal]) }).catch(() => undefined);
      }
    } finally {
      leave();
    }
  }
}

/** Whether a caller takes a stream: one that gives it the weight 0 does not. */
function wantsStream(accept: string | undefined): boolean {
  const weight = /(?:^|,)\s*text\/event-stream\s*(;[^,]*)?(?:,|$)/i.exec(accept ?? '');
  return weight !== null && !/;\s*q=0(\.0*)?\s*(;|$)/i.test(weight[1] ?? '');
}

/** A database that is away for a moment ends no watch. */
async function patient<T>(reading: Promise<T[]>): Promise<T[]> {
  try {
    return await reading;
  } catch (error) {
    if (error instanceof DatabaseError && error.status === 503) return [];
    throw error;
  }
}
