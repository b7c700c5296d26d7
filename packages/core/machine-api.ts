import * as z from 'zod/mini';
import { AnalysisCaps } from './account.ts';
import { NotificationSettings } from './notifications.ts';

/** How fast a model may be called, and what may be used up in a day (UTC). */
const AnalysisLimits = z.object({
  concurrency: z.int(),
  callsPerMinute: z.int(),
  callsPerDay: z.nullable(z.int()),
  usdPerDay: z.nullable(z.number()),
});

/**
 * GET /v1/machine/keys: what a user entrusted to us for their machine, delivered to that machine alone. Fetched at boot and whenever the beat's `keys_version` or `settings_version` changes; held in memory only.
 */
export const MachineKeys = z.object({
  /** As the beat tells them: what is older than these is fetched again. */
  keysVersion: z.int(),
  settingsVersion: z.int(),
  binance: z.nullable(z.object({ apiKey: z.string(), secretKey: z.string() })),
  /**
   * The key of Gemini: the user's own, for Google; or none but a place at the platform's: `baseUrl` for the SDK, where the machine shows its secret as `x-goog-api-key` (or `Authorization: Bearer`). null: no analyses.
   */
  gemini: z.nullable(z.discriminatedUnion('source', [
    z.object({ source: z.literal('user'), apiKey: z.string() }),
    z.object({ source: z.literal('platform'), baseUrl: z.string(), models: z.array(z.string()), limits: AnalysisLimits }),
  ])),
  /** What the user set; null: the default. Absent from a control plane of a version that did not say it. */
  analysis: z.optional(z.nullable(AnalysisCaps)),
  notifications: z.nullable(NotificationSettings),
});
export type MachineKeys = z.infer<typeof MachineKeys>;
