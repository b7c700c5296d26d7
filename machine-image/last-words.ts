import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { codeOf } from '@trademind/core';

const FILE = 'last-words.json';

/** Why the process before this one ended against its will. */
export interface LastWords { at: string; code: string; message: string; stack: string; uptimeS: number }

/** Keeps the reason of a crash where it survives the restart. Never throws: it is called when all is lost already. */
export function keepLastWords(dataDir: string, error: unknown, hide: readonly string[]): void {
  const plain = (text: string) => hide.reduce((hidden, secret) => hidden.replaceAll(secret, '[redacted]'), text);
  const words: LastWords = {
    at: new Date().toISOString(), code: codeOf(error), message: plain(error instanceof Error ? error.message : String(error)),
    stack: plain(error instanceof Error ? (error.stack ?? '') : ''), uptimeS: Math.round(process.uptime()),
  };
  try {
    mkdirSync(dataDir, { recursive: true, mode: 0o700 });
    writeFileSync(join(dataDir, `${FILE}.new`), JSON.stringify(words), { mode: 0o600 });
    renameSync(join(dataDir, `${FILE}.new`), join(dataDir, FILE));
  } catch {
    // A full or read-only disk: stdout has the same words.
  }
}

/** Reads what the process before this one left, and takes it away, so that it is told once. */
export function takeLastWords(dataDir: string): LastWords | undefined {
  const path = join(dataDir, FILE);
  try {
    const words = JSON.parse(readFileSync(path, 'utf8')) as LastWords;
    rmSync(path);
    return words;
  } catch {
    return undefined;
  }
}
