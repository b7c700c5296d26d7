/** Exit statuses of every command. Scripts rely on them: a number never changes its meaning. */
export const EXIT = {
  ok: 0,
  /** The command was understood and failed. */
  failed: 1,
  /** The command line is wrong. */
  usage: 2,
  /** Nobody is signed in, or no local cloud runs. */
  notSignedIn: 3,
  /** What was asked for is not there: no machine, no trader of that name, no signal before the market ended. */
  notFound: 4,
  /** A local cloud runs on this data folder already, or another command writes to its candles. */
  running: 5,
  /** Ended by Ctrl-C, as shells count it. */
  interrupted: 130,
} as const;
export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

const BY_CODE: Readonly<Record<string, ExitCode>> = {
  usage: EXIT.usage,
  not_signed_in: EXIT.notSignedIn,
  not_running: EXIT.notSignedIn,
  not_found: EXIT.notFound,
  no_machine: EXIT.notFound,
  no_signal: EXIT.notFound,
  market_ended: EXIT.notFound,
  already_running: EXIT.running,
  archive_busy: EXIT.running,
  cancelled: EXIT.interrupted,
};

/** The exit status for an error's stable code; whatever has none of its own is a plain failure. */
export function exitCodeFor(code: string): ExitCode {
  return Object.hasOwn(BY_CODE, code) ? (BY_CODE[code] ?? EXIT.failed) : EXIT.failed;
}
