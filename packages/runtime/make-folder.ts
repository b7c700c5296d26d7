import { existsSync, mkdirSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { codeOf } from '@trademind/core';

/**
 * Makes a folder and those above it that are missing; one that is there is left as it is. Node's own `recursive` tries for ever where the file system says that
 * an existing parent does not exist (`/proc`). Throws the file system's error.
 * @param mode of the folders that are made; what the umask leaves of it
 */
export function makeFolder(path: string, mode?: number): void {
  const parent = dirname(path);
  if (parent !== path && !existsSync(parent)) makeFolder(parent, mode);
  try {
    mkdirSync(path, mode);
  } catch (error) {
    if (codeOf(error) !== 'EEXIST' || !statSync(path).isDirectory()) throw error;
  }
}
