import { accessSync, chmodSync, constants, existsSync, statfsSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { TradeMindError } from '@trademind/core';
import { makeFolder } from '@trademind/runtime/archive';

/** Files and folders of a data folder. */
export interface DataFolder {
  path: string;
  secrets: string;
  settings: string;
  running: string;
  images: string;
  logs: string;
  postgres: string;
  exchange: string;
  fly: string;
  /** The candles of `trademind data`. */
  archive: string;
}

export function foldersOf(path: string): DataFolder {
  return {
    path,
    secrets: join(path, 'secrets.json'),
    settings: join(path, 'settings.json'),
    running: join(path, 'running.json'),
    images: join(path, 'images.json'),
    logs: join(path, 'logs'),
    postgres: join(path, 'postgres'),
    exchange: join(path, 'exchange'),
    fly: join(path, 'fly'),
    archive: join(path, 'archive'),
  };
}

/** A fresh cluster, its write-ahead log and a machine's volume need about this much. */
const NEEDED_BYTES = 400_000_000;

/** Makes the folder (0700), and finds out now, with one clear line, whether it can be used at all. */
export function openDataFolder(path: string, freeBytes: (path: string) => number = freeBytesOf): DataFolder {
  const folder = foldersOf(path);
  try {
    makeFolder(folder.logs, 0o700);
    chmodSync(path, 0o700);
    const probe = join(path, `.write-${process.pid}`);
    writeFileSync(probe, 'x');
    unlinkSync(probe);
    accessSync(path, constants.R_OK | constants.W_OK | constants.X_OK);
  } catch (error) {
    throw unusable(path, error as NodeJS.ErrnoException);
  }
  const free = freeBytes(path);
  if (free < NEEDED_BYTES && !existsSync(folder.postgres)) {
    throw new TradeMindError({
      code: 'disk_full',
      message: `${path} has ${Math.floor(free / 1_000_000)} MB free; a new local cloud needs ${NEEDED_BYTES / 1_000_000} MB.`,
      nextStep: 'Free some space, or use a folder on another disk with --data DIR.',
    });
  }
  return folder;
}

function freeBytesOf(path: string): number {
  const { bavail, bsize } = statfsSync(path);
  return bavail * bsize;
}

function unusable(path: string, error: NodeJS.ErrnoException): TradeMindError {
  const reasons: Readonly<Record<string, [string, string]>> = {
    EACCES: ['data_read_only', 'this user may not write there'],
    EPERM: ['data_read_only', 'this user may not write there'],
    EROFS: ['data_read_only', 'its file system is read-only'],
    ENOTDIR: ['data_not_a_folder', 'a part of the path is a file'],
    EEXIST: ['data_not_a_folder', 'there is a file of that name'],
    ENOENT: ['data_read_only', 'it cannot be made there'],
    ENOSPC: ['disk_full', 'the disk is full'],
    EDQUOT: ['disk_full', 'the disk quota is used up'],
  };
  const [code, reason] = reasons[error.code ?? ''] ?? ['data_unusable', error.message];
  return new TradeMindError({
    code,
    message: `The data folder ${path} cannot be written: ${reason}.`,
    nextStep: code === 'disk_full' ? 'Free some space, or use a folder on another disk with --data DIR.' : 'Choose a folder you own with --data DIR.',
    cause: error,
  });
}
