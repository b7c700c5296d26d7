import { MachineMetricPage, type MachineMetric } from '@trademind/core';
import { z } from 'zod';
import type { MetricRow } from '../database/rows.ts';
import { callerOf, type ApiContext } from './context.ts';
import { IdParams } from './parts.ts';
import { machineNotFound } from './problems.ts';
import type { Api } from './schema.ts';

const Query = z.object({
  resolution: z.enum(['minute', 'hour', 'day']).default('hour'),
  /** Spans that begin after this instant; of a page the `next` of the one before. */
  after: z.iso.datetime({ offset: true }).refine((text) => Date.parse(text) >= 0, 'must be 1970 or later').transform((text) => new Date(text).toISOString()).default('1970-01-01T00:00:00.000Z'),
  limit: z.coerce.number().int().min(1).max(1_000).default(200),
});

/** How busy a machine was. Minutes are kept for three days, hours for ninety, days for eight hundred. */
export function metricRoutes(api: Api, { userDatabase }: ApiContext): void {
  api.route({
    method: 'GET',
    url: '/v1/machines/:id/metrics',
    schema: { tags: ['machines'], summary: 'How busy a machine was', description: 'By minute (three days), hour (ninety days) or day, oldest first.', params: IdParams, querystring: Query, response: { 200: MachineMetricPage } },
    handler: async (request) => {
      const database = userDatabase(callerOf(request).token);
      if ((await database.machine(request.params.id)) === null) throw machineNotFound();
      const { resolution, after, limit } = request.query;
      const rows = await database.metrics(request.params.id, resolution, after, limit + 1);
      const items = rows.slice(0, limit).map(metricView);
      return { items, next: rows.length > limit ? items.at(-1)?.at ?? null : null };
    },
  });
}

const metricView = (row: MetricRow): MachineMetric => ({
  at: new Date(row.at).toISOString(), seconds: row.seconds, cpuPercent: row.cpu_percent, cpuPercentMax: row.cpu_percent_max, rssMb: row.rss_mb, rssMbMax: row.rss_mb_max, loopMsMax: row.loop_ms_max, lagMsMax: row.lag_ms_max,
  candles: row.candles, signals: row.signals, screeningMs: row.screening_ms, outboxRowsMax: row.outbox_rows_max,
});
