/** A running stand-in: where it is, and how to end it. */
export interface StandIn { name: string; url: string; close(): Promise<void>; [detail: string]: unknown }

/** A closed IPC channel is noticed within this time. */
const ORPHAN_CHECK_MS = 300;

/**
 * Runs a stand-in as a process of its own: says on stdout, in one JSON line, when it is ready and where; ends it on SIGTERM,
 * SIGINT, or when the process that started it goes away (its IPC channel closes). Asked to end while it starts, it ends once it has.
 */
export async function runStandIn(start: () => Promise<StandIn>): Promise<void> {
  // Before anything is started: a signal must never leave behind what the stand-in itself had begun.
  const asked = new Promise<void>((resolve) => {
    process.on('SIGTERM', resolve);
    process.on('SIGINT', resolve);
    if (process.channel) process.on('disconnect', resolve);
    // A supervisor starts again what crashed. Without one (it may have died this very moment, and so caused the error) nobody would end what
    // this stand-in has begun: then it ends in order.
    process.on('uncaughtException', (error) => {
      process.stderr.write(`${error.stack ?? String(error)}\n`);
      setTimeout(() => {
        if (process.connected === false) resolve();
        else process.exit(1);
      }, ORPHAN_CHECK_MS);
    });
  });
  let standIn: StandIn;
  try {
    standIn = await start();
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    process.stdout.write(`${JSON.stringify({ ready: false, code: code ?? 'start_failed', message })}\n`, () => process.exit(1));
    return;
  }
  const { close, ...said } = standIn;
  process.stdout.write(`${JSON.stringify({ ready: true, pid: process.pid, ...said })}\n`);
  await asked;
  try {
    await close();
    process.exit(0);
  } catch (error) {
    process.stderr.write(`${String(error)}\n`);
    process.exit(1);
  }
}
