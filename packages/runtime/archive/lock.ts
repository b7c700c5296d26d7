import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { TradeMindError } from '@trademind/core';
import { makeFolder } from '../make-folder.ts';

/** What SQLite answers when another process holds its lock. */
const SQLITE_BUSY = 5;

export interface Lock { release(): void }

/**
 * Makes this process the archive's one writer. The lock is SQLite's on an empty database file: the operating system itself lets it go when the process ends,
 * however it ends, so none is ever left over. Throws `archive_busy`, with the other's pid where it is known.
 */
export function lockArchive(folder: string, pid: number): Lock {
  const pidFile = join(folder, 'writer.pid');
  let database: DatabaseSync | undefined;
  try {
    makeFolder(folder);
    database = new DatabaseSync(join(folder, 'writer.lock'));
    database.exec('begin exclusive');
    writeFileSync(pidFile, `${pid}\n`);
  } catch (error) {
    database?.close();
    throw (error as { errcode?: number }).errcode === SQLITE_BUSY ? busy(pidFile) : unusable(folder, error);
  }
  const held = database;
  return { release: () => held.close() };
}

function busy(pidFile: string): TradeMindError {
  let pid = '';
  try {
    pid = ` (pid ${Number(readFileSync(pidFile, 'utf8'))})`;
  } catch {
    // It has the lock and has not yet said who it is.
  }
  return new TradeMindError({
    code: 'archive_busy', message: `Another process${pid} writes to this candle archive.`,
    nextStep: 'Wait until it is done, end it with Ctrl-C, or use another folder with --data DIR. Reading goes on meanwhile.',
  });
}

function unusable(folder: string, cause: unknown): TradeMindError {
  return new TradeMindError({
    code: (cause as { code?: string }).code === 'ENOSPC' ? 'disk_full' : 'archive_unwritable', message: `The candle archive ${folder} cannot be written: ${(cause as Error).message}.`,
    nextStep: 'Use a folder that you may write to with --data DIR.', cause,
  });
}
