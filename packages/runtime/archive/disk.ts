import { closeSync, constants, copyFileSync, fstatSync, fsyncSync, ftruncateSync, mkdirSync, openSync, readdirSync, readFileSync, readSync, renameSync, rmSync, writeSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { TradeMindError, codeOf } from '@trademind/core';

/** What the archive asks of a file system. All of it is synchronous: an archive is read in milliseconds, and written by one process alone. */
export interface Disk {
  /** The whole file; undefined when there is none. */
  read(path: string): Uint8Array | undefined;
  /** Its first bytes and its size; undefined when there is none. */
  head(path: string, bytes: number): { bytes: Uint8Array; size: number } | undefined;
  /** Names in a folder, sorted; none when there is no folder. */
  list(folder: string): string[];
  /** Makes `bytes` the file's content from `at` on, cutting off what stood there. If that fails, the file ends at `at` (at 0: is gone). Not yet safe from a power cut: see `sync`. */
  append(path: string, at: number, bytes: Uint8Array): void;
  /** Writes a file beside `path` and brings it safely to the disk. Answers its name. */
  stage(path: string, bytes: Uint8Array): string;
  /** Puts a staged file in its place: whoever reads sees the old one or the new one, whole. */
  commit(staged: string, path: string): void;
  remove(path: string): void;
  copy(path: string, to: string): void;
  /** Brings what was appended safely to the disk. */
  sync(path: string): void;
}

/** Name of a staged file; one that is left over is from a process that was killed. */
export const STAGED = '.new';

export const nodeDisk: Disk = {
  read: (path) => absent(path, () => aligned(readFileSync(path))),
  head: (path, bytes) => absent(path, () => {
    const file = openSync(path, 'r');
    try {
      const buffer = new Uint8Array(bytes);
      const read = readSync(file, buffer, 0, bytes, 0);
      return { bytes: buffer.subarray(0, read), size: fstatSync(file).size };
    } finally {
      closeSync(file);
    }
  }),
  list: (folder) => absent(folder, () => readdirSync(folder).sort()) ?? [],
  append: (path, at, bytes) => writing(path, () => {
    mkdirSync(dirname(path), { recursive: true });
    const file = openSync(path, constants.O_RDWR | constants.O_CREAT, 0o644);
    try {
      ftruncateSync(file, at);
      try {
        writeAll(file, bytes, at);
      } catch (error) {
        if (at === 0) rmSync(path, { force: true });
        else ftruncateSync(file, at);
        throw error;
      }
    } finally {
      closeSync(file);
    }
  }),
  stage: (path, bytes) => writing(path, () => {
    mkdirSync(dirname(path), { recursive: true });
    const staged = `${path}${STAGED}`;
    const file = openSync(staged, 'w', 0o644);
    try {
      writeAll(file, bytes, 0);
      fsyncSync(file);
    } catch (error) {
      rmSync(staged, { force: true });
      throw error;
    } finally {
      closeSync(file);
    }
    return staged;
  }),
  commit: (staged, path) => writing(path, () => {
    renameSync(staged, path);
    syncFolder(dirname(path));
  }),
  remove: (path) => writing(path, () => rmSync(path, { force: true })),
  copy: (path, to) => writing(to, () => copyFileSync(path, to)),
  sync: (path) => writing(path, () => {
    const file = openSync(path, 'r+');
    try {
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    syncFolder(dirname(path));
  }),
};

/** One write may take less than it is given. */
function writeAll(file: number, bytes: Uint8Array, at: number): void {
  for (let done = 0; done < bytes.byteLength;) done += writeSync(file, bytes, done, bytes.byteLength - done, at + done);
}

/** A rename is safe once its folder is; Windows has no such thing and keeps it by itself. */
function syncFolder(folder: string): void {
  if (process.platform === 'win32') return;
  const file = openSync(folder, 'r');
  try {
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

/** Blocks are read through views of 32-bit words. */
function aligned(bytes: Uint8Array): Uint8Array {
  return bytes.byteOffset % 8 === 0 ? bytes : new Uint8Array(bytes);
}

function absent<T>(path: string, read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw new TradeMindError({ code: 'archive_unreadable', message: `${path} cannot be read: ${(error as Error).message}`, cause: error });
  }
}

function writing<T>(path: string, write: () => T): T {
  try {
    return write();
  } catch (error) {
    const code = codeOf(error);
    if (code === 'ENOSPC' || code === 'EDQUOT') {
      throw new TradeMindError({
        code: 'disk_full', message: `The disk is full: ${join(basename(dirname(path)), basename(path))} of the candle archive could not be written. What was stored before is whole.`,
        nextStep: 'Free some space, or use a folder on another disk with --data DIR; the same command then goes on.', cause: error,
      });
    }
    throw new TradeMindError({
      code: 'archive_unwritable', message: `The candle archive cannot be written: ${(error as Error).message}`,
      nextStep: 'Use a folder that you may write to with --data DIR.', cause: error,
    });
  }
}

