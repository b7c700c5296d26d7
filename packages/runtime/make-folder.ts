import { existsSync, mkdirSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { codeOf } from '@trademind/core';

/**
 * Makes a folder and those above it that are missing; one that is there is left as it is. Node's own `recursive` tries for ever where the file system says that
 * an existing parent does not exist (`/proc`). Throws the file system's error.
 */
export function makeFolder(path: string): void {
  const parent = dirname(path);
  if (parent !== path && !existsSync(parent)) makeFolder(parent);
  try {
    mkdirSync(path);
  } catch (error) {
    if (codeOf(error) !== 'EEXIST' || !statSync(path).isDirectory()) throw error;
  }
}
