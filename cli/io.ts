import { readEnvironment, type Environment } from './environment.ts';

/** Everything a command touches outside itself. */
export interface Io {
  stdout(text: string): void;
  stderr(text: string): void;
  streams: { stdout: NodeJS.WriteStream; stderr: NodeJS.WriteStream; stdin: NodeJS.ReadStream };
  /** A person sits at both ends: prompts and screens are possible. */
  interactive: boolean;
  color: { stdout: boolean; stderr: boolean };
  cwd: string;
  environment: Environment;
  now(): number;
}

export function processIo(): Io {
  const { stdout, stderr, stdin } = process;
  const environment = readEnvironment();
  const color = (stream: NodeJS.WriteStream) => environment.color ?? stream.isTTY === true;
  return {
    stdout: (text) => void stdout.write(text),
    stderr: (text) => void stderr.write(text),
    streams: { stdout, stderr, stdin },
    interactive: stdin.isTTY === true && stdout.isTTY === true,
    color: { stdout: color(stdout), stderr: color(stderr) },
    cwd: process.cwd(),
    environment,
    now: Date.now,
  };
}
