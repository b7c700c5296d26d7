import { closeSync, fsyncSync, openSync, readFileSync, renameSync, rmSync, writeSync } from 'node:fs';
import { TradeMindError } from '@trademind/core';

/** Writes JSON so that a reader sees all of it or none, readable by its owner only. */
export function writeJsonAtomically(path: string, value: unknown): void {
  const temporary = `${path}.${process.pid}.tmp`;
  try {
    const file = openSync(temporary, 'w', 0o600);
    try {
      writeSync(file, `${JSON.stringify(value, null, 2)}\n`);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
}

/** Reads JSON; undefined when there is no such file. Throws `data_damaged` when it is there but not whole. */
export function readJson(path: string): unknown {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  try {
    return JSON.parse(text) as unknown;
  } catch (cause) {
    throw damaged(path, cause);
  }
}

export function damaged(path: string, cause?: unknown): TradeMindError {
  return new TradeMindError({
    code: 'data_damaged',
    message: `${path} is not whole: it was half-written or changed by hand.`,
    nextStep: 'Start over with --reset (deletes the local data), or use another folder with --data DIR.',
    cause,
  });
}
