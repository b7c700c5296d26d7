import * as z from 'zod/mini';

const LEVELS = ['info', 'warn', 'error'] as const;

/** A line of a machine's log, as its user sees it. */
export const LogEntry = z.object({ at: z.int(), level: z.enum(LEVELS), code: z.string(), message: z.string() });
export type LogEntry = z.infer<typeof LogEntry>;

/** Where a line was read: from the machine itself, from Fly's log of what it wrote, or from what was kept when a version of it failed. */
export const LOG_SOURCES = ['machine', 'fly', 'failure'] as const;
export const LogLine = z.object({ at: z.string(), level: z.nullable(z.enum(LEVELS)), code: z.nullable(z.string()), message: z.string(), source: z.enum(LOG_SOURCES) });
export type LogLine = z.infer<typeof LogLine>;

/** GET /v1/machines/{id}/logs: lines of one source, the oldest first. */
export const MachineLogs = z.object({
  items: z.array(LogLine),
  /** As `after` of the next call: what was written since. null while there is no line at all. */
  next: z.nullable(z.string()),
  source: z.nullable(z.enum(LOG_SOURCES)),
  /** Why this is not the machine's own log, and what helps; null: it is. */
  notice: z.nullable(z.object({ code: z.string(), message: z.string(), nextStep: z.string() })),
});
export type MachineLogs = z.infer<typeof MachineLogs>;
