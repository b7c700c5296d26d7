import { PlanChange, PlanView, UserPlan } from '@trademind/core';
import { z } from 'zod';
import type { PlanRow } from '../database/plans.ts';
import type { ApiContext } from './context.ts';
import { callerOf } from './context.ts';
import { IdParams } from './parts.ts';
import type { Api } from './schema.ts';

/** What plans there are, and (for operators) who has which. */
export function planRoutes(api: Api, { plans, userDatabase }: ApiContext): void {
  api.route({
    method: 'GET',
    url: '/v1/plans',
    schema: { tags: ['me'], summary: 'The plans', response: { 200: z.object({ items: z.array(PlanView) }) } },
    handler: async (request) => ({ items: (await userDatabase(callerOf(request).token).plans()).map(planView) }),
  });
  api.route({
    method: 'GET',
    url: '/v1/users/:id/plan',
    schema: { tags: ['operators'], summary: 'A user\'s plan', params: IdParams, response: { 200: UserPlan } },
    handler: async (request) => userPlanView(await plans.of(request.params.id)),
  });
  api.route({
    method: 'PUT',
    url: '/v1/users/:id/plan',
    schema: { tags: ['operators'], summary: 'Put a user on a plan', description: 'What the user has beyond a smaller plan stays until the user gives it up; nothing new is given. `null`: the default plan.', params: IdParams, body: PlanChange, response: { 200: UserPlan } },
    handler: async (request) => userPlanView(await plans.set(request.params.id, request.body.plan)),
  });
}

type Limits = Omit<PlanRow, 'own' | 'used'>;

function planView(row: Limits): PlanView {
  return {
    name: row.name, title: row.title,
    limits: {
      machines: row.machines, vcpus: row.vcpus, regions: row.regions, performance: row.performance, traders: row.traders, analysesPerDay: row.analyses_per_day,
      analysesPerMinute: row.analyses_per_minute, analysesAtOnce: row.analyses_at_once, analysesUsdPerDay: row.analyses_nano_usd_per_day / 1e9,
    },
  };
}

export const userPlanView = (row: PlanRow): UserPlan => ({ ...planView(row), own: row.own, used: row.used });
