import { redact } from '@trademind/core';
import type { ReadFlyLogs } from '@trademind/fly';

/** How many lines a user is shown of a boot that failed. */
const LINES = 20;
const LINE_LENGTH = 500;

/** The last lines that a machine wrote, without anything that looks like a secret. Without a log API, or when it does not answer, there are none: a log is a help, never a condition. */
export function createLastLogs(read: ReadFlyLogs | null): (app: string, machineId: string, signal: AbortSignal) => Promise<string[]> {
  return async (app, machineId, signal) => {
    try {
      const lines = await read?.(app, machineId, { signal, timeoutMs: 5_000 }) ?? [];
      return lines.slice(-LINES).map(({ message }) => redact(message).slice(0, LINE_LENGTH));
    } catch {
      return [];
    }
  };
}
