import { rmSync, statfsSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const MB = 2 ** 20;
/** The first goes for what is found while the disk is full, the second only so that what waits can leave. */
const PARTS = [{ name: 'ballast-1', bytes: 8 * MB }, { name: 'ballast-2', bytes: 4 * MB }] as const;
/** A part is laid down only where so many times its size is free. */
const SPARE = 4;

/**
 * Files that only take up room. On a full disk not even a row can be deleted, for that is written too; these are thrown overboard then, and
 * laid down again once there is plenty of room.
 */
export class Ballast {
  readonly #dataDir: string;

  constructor(dataDir: string) {
    this.#dataDir = dataDir;
  }

  /** @param last whether the part goes too without which nothing can leave any more */
  drop(last: boolean): void {
    for (const { name } of PARTS.slice(0, last ? 2 : 1)) rmSync(join(this.#dataDir, name), { force: true });
  }

  /** Lays down what is not there, as far as the disk has room. Never throws: a disk that is too small for it is no reason not to run. */
  lay(): void {
    for (const { name, bytes } of PARTS.toReversed()) {
      const path = join(this.#dataDir, name);
      try {
        if (statSync(path, { throwIfNoEntry: false })?.size === bytes) continue;
        const { bavail, bsize } = statfsSync(this.#dataDir);
        // Written, not only reserved: a file of holes would free nothing.
        if (bavail * bsize > SPARE * bytes) writeFileSync(path, Buffer.alloc(bytes), { mode: 0o600 });
      } catch {
        rmSync(path, { force: true });
      }
    }
  }
}
