/** A running stand-in: where it is, and how to end it. */
export interface StandIn { name: string; url: string; close(): Promise<void>; [detail: string]: unknown }

/**
 * Runs a stand-in as a process of its own: says on stdout, in one JSON line, when it is ready and where; ends it on SIGTERM,
 * SIGINT, or when the process that started it goes away (its IPC channel closes).
 */
export async function runStandIn(start: () => Promise<StandIn>): Promise<void> {
  let standIn: StandIn;
  try {
    standIn = await start();
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    process.stdout.write(`${JSON.stringify({ ready: false, code: code ?? 'start_failed', message })}\n`);
    process.exitCode = 1;
    return;
  }
  const { close, ...said } = standIn;
  process.stdout.write(`${JSON.stringify({ ready: true, pid: process.pid, ...said })}\n`);
  let ending = false;
  const end = () => {
    if (ending) return;
    ending = true;
    close().then(() => process.exit(0), (error: unknown) => {
      process.stderr.write(`${String(error)}\n`);
      process.exit(1);
    });
  };
  process.on('SIGTERM', end);
  process.on('SIGINT', end);
  if (process.channel) process.on('disconnect', end);
}
