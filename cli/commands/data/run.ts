import { listenForShutdown } from '../../dev/shutdown.ts';
import { EXIT } from '../../exit-codes.ts';
import type { Io } from '../../io.ts';

/** What every `data` command may be given. */
export interface DataOptions { data?: string; json?: boolean }

/** Runs work that Ctrl-C ends in order: it then answers 130 and says that nothing is lost. A second Ctrl-C ends it at once, which does no harm either. */
export async function interruptible(io: Io, json: boolean, work: (signal: AbortSignal) => Promise<number>): Promise<number> {
  const shutdown = listenForShutdown(() => process.exit(EXIT.interrupted), io.now);
  try {
    return await work(shutdown.signal);
  } catch (error) {
    if (!shutdown.signal.aborted) throw error;
    if (json) io.stdout(`${JSON.stringify({ event: 'stopped' })}\n`);
    else io.stderr('Stopped. What was fetched is stored; the same command goes on from there.\n');
    return EXIT.interrupted;
  } finally {
    shutdown.dispose();
  }
}

/** One line of JSON on stdout. */
export function event(io: Io, name: string, data: object): void {
  io.stdout(`${JSON.stringify({ event: name, ...data })}\n`);
}
