import * as z from 'zod/mini';
import { LogEntry } from './log.ts';

/** Ways in which a process ends against its will. */
export const CRASH_KINDS = {
  /** An error that nothing caught. */
  crashed: 'The machine crashed and started again.',
  /** It was out of memory, or so close to the end of it that this is the likely reason. */
  'out-of-memory': 'The machine ran out of memory and started again.',
  /** It ended without a word: killed, or its host was lost. */
  killed: 'The machine was ended from outside, without warning, and started again.',
  /** It was told to end and did not manage to in time. */
  'drain-timeout': 'The machine was told to end and could not finish its work in time; what was left waited on disk.',
} as const;
export type CrashKind = keyof typeof CRASH_KINDS;

/** How a process of a machine ended, told by the one after it. Never holds a secret. */
export const CrashReport = z.object({
  /** When it ended, or was last known to live (ISO). */
  at: z.string(),
  kind: z.enum(Object.keys(CRASH_KINDS) as [CrashKind, ...CrashKind[]]),
  code: z.string(),
  /** What happened, for people. */
  message: z.string(),
  nextStep: z.optional(z.string()),
  version: z.string(),
  uptimeS: z.number(),
  memory: z.object({ rssMb: z.number(), limitMb: z.number(), heapMb: z.number(), heapLimitMb: z.number() }),
  /** The last lines of its log, oldest first. */
  log: z.array(LogEntry),
});
export type CrashReport = z.infer<typeof CrashReport>;
