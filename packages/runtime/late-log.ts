import type { Log } from './log.ts';

/** A log for a service that is made before the one whose log it is: what it says until then waits, and nothing is said past it. */
export function lateLog(): { log: Log; to(log: Log): void } {
  const early: Parameters<Log>[] = [];
  let target: Log | undefined;
  return {
    log: (...line) => { if (target) target(...line); else early.push(line); },
    to: (log) => {
      target = log;
      for (const line of early.splice(0)) log(...line);
    },
  };
}
