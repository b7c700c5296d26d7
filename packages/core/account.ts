import * as z from 'zod/mini';
import { NotificationChannel, NotificationRule } from './notifications.ts';
import { ScaleSettings } from './scaling.ts';

/** What a plan has room for; 0 machines: local only. Analyses are those with the platform's key. */
export const PlanView = z.object({
  name: z.string(),
  title: z.string(),
  limits: z.object({
    machines: z.int(), vcpus: z.int(), regions: z.int(), performance: z.boolean(), traders: z.int(),
    analysesPerDay: z.int(), analysesPerMinute: z.int(), analysesAtOnce: z.int(), analysesUsdPerDay: z.number(),
  }),
});
export type PlanView = z.infer<typeof PlanView>;

/** A user's plan: `own` is false for whoever is on the default. */
export const UserPlan = z.extend(PlanView, { own: z.boolean(), used: z.object({ machines: z.int(), vcpus: z.int(), regions: z.int(), traders: z.int() }) });
export type UserPlan = z.infer<typeof UserPlan>;
export const PlanChange = z.strictObject({ /** null: the default. */ plan: z.nullable(z.string().check(z.regex(/^[a-z][a-z0-9-]{0,31}$/))) });

/** What happens when a month's budget is used up. At 50, 80 and 100 % it is told in any case. */
export const BUDGET_ACTIONS = ['notify', 'downsize', 'stop'] as const;
export const Budget = z.strictObject({ monthlyUsd: z.number().check(z.gte(0.01), z.lte(1_000_000), z.multipleOf(0.01)), action: z.enum(BUDGET_ACTIONS) });
export type Budget = z.infer<typeof Budget>;

/** What analyses may use up in a day (UTC), whatever key they are made with; with the platform's the plan's limits hold too. 0: none is made. */
export const AnalysisCaps = z.strictObject({
  tokensPerDay: z.int().check(z.gte(0), z.lte(1_000_000_000)), usdPerDay: z.number().check(z.gte(0), z.lte(10_000), z.multipleOf(0.01)),
});
export type AnalysisCaps = z.infer<typeof AnalysisCaps>;
/** Where a user has set none: about 300 analyses of the usual length. */
export const DEFAULT_ANALYSIS_CAPS: AnalysisCaps = { tokensPerDay: 1_000_000, usdPerDay: 1 };

/** Keys that are written and never shown. The characters are those that the exchange and Google use; nothing else gets near a header. */
const Key = (least: number) => z.string().check(z.minLength(least), z.maxLength(256), z.regex(/^[\x21-\x7e]+$/, 'printable characters without spaces'));
export const BinanceKeys = z.strictObject({ apiKey: Key(16), secretKey: Key(16) });
export const GeminiKey = z.strictObject({ apiKey: Key(16) });
/** Notifications anew; without `channels` those that are stored stay, for their secrets cannot be read back. */
export const NotificationsWrite = z.strictObject({ channels: z.optional(z.array(NotificationChannel).check(z.maxLength(10))), rules: z.array(NotificationRule).check(z.maxLength(50)) });

const StoredKey = z.object({ /** The last characters: enough to know which one it is. */ hint: z.string(), updatedAt: z.string() });

/** GET /v1/me */
export const Me = z.object({
  id: z.uuid(),
  email: z.nullable(z.string()),
  role: z.string(),
  operator: z.boolean(),
  plan: UserPlan,
  budget: z.nullable(Budget),
  scaling: z.nullable(ScaleSettings),
  /** null: the default. */
  analysis: z.nullable(AnalysisCaps),
  keys: z.object({ binance: z.nullable(StoredKey), gemini: z.nullable(StoredKey) }),
  notifications: z.nullable(z.object({ channels: z.array(z.record(z.string(), z.unknown())), rules: z.array(NotificationRule) })),
});
export type Me = z.infer<typeof Me>;

/** What a script may do with an access token. Keys, tokens and budgets are changed by a signed-in user alone. */
export const ACCESS_SCOPES = ['machines:read', 'machines:write', 'machines:ticket', 'traders:read', 'traders:write', 'me:read', 'operator'] as const;
export type AccessScope = (typeof ACCESS_SCOPES)[number];
export const AccessTokenRequest = z.strictObject({
  name: z.string().check(z.minLength(1), z.maxLength(100)),
  scopes: z.array(z.enum(ACCESS_SCOPES)).check(z.minLength(1), z.maxLength(ACCESS_SCOPES.length), z.refine((scopes) => new Set(scopes).size === scopes.length, 'each scope once')),
  expiresInDays: z._default(z.int().check(z.gte(1), z.lte(366)), 90),
});
export const AccessTokenView = z.object({
  id: z.uuid(), name: z.string(), scopes: z.array(z.string()), createdAt: z.string(), expiresAt: z.string(), lastUsedAt: z.nullable(z.string()),
});
export type AccessTokenView = z.infer<typeof AccessTokenView>;
/** The token itself is shown this once. */
export const AccessTokenMade = z.extend(AccessTokenView, { token: z.string() });

/** What something cost in a month (UTC), US dollars. `egress` is estimated from running time; `analysis` is the platform's Gemini. */
const Costs = z.object({ compute: z.number(), volume: z.number(), egress: z.number(), analysis: z.number(), total: z.number() });
export const CostReport = z.object({
  currency: z.literal('USD'),
  month: z.string(),
  from: z.string(),
  to: z.string(),
  spent: Costs,
  days: z.array(z.object({ day: z.string(), seconds: z.number(), costs: Costs })),
  machines: z.array(z.object({ machineId: z.uuid(), sizes: z.array(z.object({ region: z.string(), size: z.string(), seconds: z.number(), usd: z.number() })), costs: Costs })),
  /** 30 days of what is wished now, and what this month will have cost if nothing changes. */
  monthlyRateUsd: z.number(),
  forecastUsd: z.number(),
  pricesReadAt: z.string(),
  estimated: z.array(z.string()),
  budget: z.nullable(z.object({ monthlyUsd: z.number(), action: z.enum(BUDGET_ACTIONS), usedPercent: z.number(), warnings: z.array(z.object({ percent: z.int(), at: z.string() })) })),
});
export type CostReport = z.infer<typeof CostReport>;

/** An entry of the audit log: who did what to whom, and what changed. */
export const AuditEntry = z.object({
  id: z.int(), at: z.string(), actor: z.object({ kind: z.string(), id: z.nullable(z.uuid()), via: z.nullable(z.string()) }), requestId: z.nullable(z.string()),
  action: z.string(), userId: z.nullable(z.uuid()), subject: z.nullable(z.string()), before: z.nullable(z.record(z.string(), z.unknown())), after: z.nullable(z.record(z.string(), z.unknown())),
});
export type AuditEntry = z.infer<typeof AuditEntry>;
export const AuditPage = z.object({ items: z.array(AuditEntry), next: z.nullable(z.string()) });

