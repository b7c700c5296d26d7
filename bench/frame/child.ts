import { spawn } from 'node:child_process';
import { join } from 'node:path';

/** Runs a program of the bench in a fresh process, so that memory and garbage are its own, and returns the JSON that it prints. */
export function inChild<T>(program: string, options: { flags?: readonly string[]; args?: readonly string[]; env?: Readonly<Record<string, string>> } = {}): Promise<T> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [...(options.flags ?? []), join(import.meta.dirname, '..', program), ...(options.args ?? [])], { stdio: ['ignore', 'pipe', 'inherit'], env: { ...process.env, ...options.env } });
    let said = '';
    child.stdout.on('data', (chunk: Buffer) => { said += chunk.toString(); });
    child.once('error', reject);
    child.once('close', (code) => {
      if (code === 0) resolve(JSON.parse(said) as T);
      else reject(new Error(`${program} ended with status ${code}.`));
    });
  });
}

/** What a process holds, in MB (2^20 bytes). Wants --expose-gc. */
export function memory(): { rss: number; heap: number; external: number } {
  for (let round = 0; round < 3; round += 1) globalThis.gc?.();
  const { rss, heapUsed, external } = process.memoryUsage();
  return { rss: rss / 2 ** 20, heap: heapUsed / 2 ** 20, external: external / 2 ** 20 };
}

/** What was added since `before`. */
export const growth = (before: ReturnType<typeof memory>): ReturnType<typeof memory> => {
  const now = memory();
  return { rss: now.rss - before.rss, heap: now.heap - before.heap, external: now.external - before.external };
};
