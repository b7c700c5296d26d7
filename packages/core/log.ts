import * as z from 'zod/mini';

/** A line of a machine's log, as its user sees it. */
export const LogEntry = z.object({ at: z.int(), level: z.enum(['info', 'warn', 'error']), code: z.string(), message: z.string() });
export type LogEntry = z.infer<typeof LogEntry>;
