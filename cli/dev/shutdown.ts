/** Repeated signals within this time are one wish: a terminal and a parent process may both pass it on. */
const SAME_WISH_MS = 400;

export interface Shutdown {
  /** Aborted by the first Ctrl-C, SIGTERM or SIGHUP, and when nobody reads the output any more (`| head`). */
  signal: AbortSignal;
  /** The signal that came first; null when it was ended from inside. */
  by(): NodeJS.Signals | null;
  /** Begins the end from inside. */
  begin(): void;
  dispose(): void;
}

/** Turns the system's signals into one that can be awaited; a second Ctrl-C calls `onForce`. */
export function listenForShutdown(onForce: () => void, now: () => number, source: NodeJS.EventEmitter = process, output: NodeJS.EventEmitter = process.stdout): Shutdown {
  const controller = new AbortController();
  let by: NodeJS.Signals | null = null;
  let at = 0;
  const on = (name: NodeJS.Signals) => {
    if (!controller.signal.aborted || by === null) {
      by = name;
      at = now();
      controller.abort();
    } else if (name === 'SIGINT' && now() - at > SAME_WISH_MS) {
      onForce();
    }
  };
  const names: NodeJS.Signals[] = ['SIGINT', 'SIGTERM', 'SIGHUP'];
  for (const name of names) source.on(name, on);
  const begin = () => controller.abort();
  output.on('error', begin);
  return {
    signal: controller.signal,
    by: () => by,
    begin,
    dispose: () => {
      for (const name of names) source.off(name, on);
      output.off('error', begin);
    },
  };
}
