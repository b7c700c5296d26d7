import { closeSync, openSync, writeSync } from 'node:fs';
import { TradeMindError } from '@trademind/core';
import { nodeDisk, STAGED, type Disk } from '../disk.ts';

/** Thrown where a process would have been killed. */
export class Killed extends Error {}

/**
 * The real disk, until so many bytes are written; then it is full, or the process is killed in the middle of that write (what was written by then stays).
 * Staging, copies and appends count.
 */
export function faultyDisk(bytesLeft: number, fault: 'full' | 'kill'): Disk {
  let left = bytesLeft;
  const through = (path: string, at: number, bytes: Uint8Array, whole: () => void) => {
    if (bytes.byteLength <= left) {
      left -= bytes.byteLength;
      return whole();
    }
    if (fault === 'full') {
      // As nodeDisk does after the system's own ENOSPC: nothing of it stays.
      throw new TradeMindError({ code: 'disk_full', message: `${path}: the disk is full.` });
    }
    const file = openSync(path, at === 0 ? 'w' : 'r+');
    writeSync(file, bytes, 0, left, at);
    closeSync(file);
    left = 0;
    throw new Killed();
  };
  return {
    ...nodeDisk,
    append: (path, at, bytes) => through(path, at, bytes, () => nodeDisk.append(path, at, bytes)),
    stage: (path, bytes) => {
      through(`${path}${STAGED}`, 0, bytes, () => nodeDisk.stage(path, bytes));
      return `${path}${STAGED}`;
    },
  };
}
