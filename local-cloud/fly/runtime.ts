import type { Exit, MachineRow, Run } from './types.ts';

/** Tells that a run has ended. Called exactly once a run, for runs of this process and for adopted ones. */
export type OnExit = (machineId: string, runId: string, exit: Exit) => void;

/** What a machine is given to boot with, beside its own row. */
export interface BootContext { appName: string; secrets: Readonly<Record<string, string>> }

export interface ExecResult { exit_code: number; exit_signal: number; stdout: string; stderr: string }
export interface ProcessRow { pid: number; command: string; rss: number; directory: string }
/** A line that a machine has said. `at` in ms. */
export interface LogLine { at: number; message: string }

/** What runs machines: as processes, or as a matter of time alone. */
export interface Runtime {
  /** Whether the runs end with the stand-in's host (SIGTERM). */
  readonly endsWithHost: boolean;
  /** How durations are scaled: 1 = as at Fly. */
  readonly pace: number;
  /** Passes the time that Fly takes to answer this verb; none where machines are processes. */
  think(verb: string): Promise<void>;
  /** Boots a machine. `commit` is called once, before the machine may do anything, and must have stored the run when it returns. */
  launch(machine: MachineRow, context: BootContext, commit: (run: Run) => void): Promise<void>;
  /** Takes over a run that an earlier stand-in left; false when it has ended since. */
  adopt(machineId: string, run: Run, machine?: MachineRow): boolean;
  /** Ends a run: the signal, then SIGKILL after the timeout. Resolves once it has ended and was told. */
  halt(machineId: string, run: Run, how: { signal: string; timeoutMs: number }): Promise<void>;
  /** Ends a run at once and tells this as its end: what a fault asks for. */
  crash(machineId: string, run: Run, exit: Exit, log?: string): void;
  /** Makes a run stand still, and go on. */
  freeze(run: Run): Promise<void>;
  thaw(run: Run): Promise<void>;
  /** Sends a signal and no more. */
  signal(run: Run, signal: string): void;
  /** Runs a command beside the machine's own. Null when this runtime may not. */
  exec(machine: MachineRow, context: BootContext, command: readonly string[], timeoutMs: number): Promise<ExecResult | null>;
  processes(run: Run): ProcessRow[];
  /** The last lines that a machine has said, oldest first. */
  logs(machineId: string, most: number): LogLine[];
  /** The loopback port behind an internal one; null when there is no process. */
  port(run: Run, internalPort: number): number | null;
  /** Removes what a destroyed machine leaves. */
  discard(machineId: string): Promise<void>;
  close(): void;
}

/** Unknown: the run ended while nobody watched. */
export const UNSEEN_EXIT: Exit = { exitCode: -1, signal: -1, oomKilled: false };
