import { createProgram } from '../program.ts';

/** Runs a command line in this process, as without a terminal: what it printed, and its exit status. For tests. */
export async function runCommand(args: readonly string[], cwd = process.cwd()): Promise<{ code: number; stdout: string; stderr: string }> {
  let stdout = '';
  let stderr = '';
  const write = (text: string): boolean => {
    stdout += text;
    return true;
  };
  const stream = { write, columns: 100 } as unknown as NodeJS.WriteStream;
  const code = await createProgram({
    stdout: write, stderr: (text) => { stderr += text; }, streams: { stdout: stream, stderr: stream, stdin: process.stdin }, interactive: false,
    color: { stdout: false, stderr: false }, cwd, environment: { geminiApiKey: undefined, binanceRestUrl: undefined, recordingMb: undefined, color: undefined, inherited: {} }, now: () => 0,
  }).run(args);
  return { code, stdout, stderr };
}
