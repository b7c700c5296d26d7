import { startProgram, type Child, type Program, type ReadyLine } from './child.ts';

/** First wait after a death, doubled at each one that follows soon, up to the last. */
const BACKOFF_MS = { first: 200, last: 5_000 };
/** A program that ran this long has recovered: the next wait is short again. */
const HEALTHY_MS = 30_000;

export type SupervisedEvent =
  | { type: 'spawned'; name: string; pid: number }
  | { type: 'died'; name: string; how: string; waitMs: number }
  | { type: 'restarted'; name: string; pid: number; tookMs: number }
  | { type: 'restart-failed'; name: string; message: string; waitMs: number };

export interface Supervised {
  name: string;
  ready: ReadyLine;
  /** Asks it to end, and resolves once it has. After `forceAfterMs` it is ended by force. */
  stop(forceAfterMs: number): Promise<{ forced: boolean }>;
  /** Id of its process now; null while it is being started again. */
  pid(): number | null;
  /** Starts it no more; its process is somebody else's to end. */
  abandon(): void;
}

export interface SuperviseOptions {
  cwd: string;
  now(): number;
  onEvent(event: SupervisedEvent): void;
  /** Ends the first start when it is aborted; afterwards `stop` does. */
  signal: AbortSignal;
}

/** Starts a program and keeps it running: one that dies is started again with back-off, on the same port, until `stop`. */
export async function supervise(program: Program, options: SuperviseOptions): Promise<Supervised> {
  const ending = new AbortController();
  const onSpawn = (pid: number) => options.onEvent({ type: 'spawned', name: program.name, pid });
  let child: Child | null = await startProgram(program, options.cwd, onSpawn, options.signal);
  const ready = child.ready;
  let startedAt = options.now();
  let wait = BACKOFF_MS.first;

  const keep = async (): Promise<void> => {
    while (child && !ending.signal.aborted) {
      const { code, signal } = await child.exited;
      child = null;
      if (ending.signal.aborted) return;
      if (options.now() - startedAt > HEALTHY_MS) wait = BACKOFF_MS.first;
      options.onEvent({ type: 'died', name: program.name, how: signal ?? `status ${code}`, waitMs: wait });
      const died = options.now();
      while (!child && !ending.signal.aborted) {
        await pause(wait, ending.signal);
        if (ending.signal.aborted) return;
        wait = Math.min(wait * 2, BACKOFF_MS.last);
        try {
          child = await startProgram(program, options.cwd, onSpawn, ending.signal);
          startedAt = options.now();
          options.onEvent({ type: 'restarted', name: program.name, pid: child.pid, tookMs: startedAt - died });
        } catch (error) {
          if (!ending.signal.aborted) options.onEvent({ type: 'restart-failed', name: program.name, message: (error as Error).message, waitMs: wait });
        }
      }
    }
  };
  const kept = keep();

  return {
    name: program.name,
    ready,
    pid: () => child?.pid ?? null,
    abandon: () => ending.abort(),
    stop: async (forceAfterMs) => {
      ending.abort();
      const last = child;
      last?.kill('SIGTERM');
      let forced = false;
      const timer = setTimeout(() => {
        forced = true;
        child?.kill('SIGKILL');
      }, forceAfterMs);
      await kept;
      clearTimeout(timer);
      return { forced };
    },
  };
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const timer = setTimeout(resolve, ms);
    signal.addEventListener('abort', () => { clearTimeout(timer); resolve(); }, { once: true });
  });
}
