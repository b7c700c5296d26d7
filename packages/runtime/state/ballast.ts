import { rmSync, statfsSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const BYTES = 8 * 2 ** 20;
/** It is laid down only where so much more than itself is free. */
const SPARE = 4;

/**
 * A file that only takes up room. On a full disk not even a row can be deleted, for that is written too; this is thrown overboard then. It
 * needs eight megabytes, and is laid down again once there is plenty of room.
 */
export class Ballast {
  readonly #path: string;
  readonly #dataDir: string;

  constructor(dataDir: string) {
    this.#dataDir = dataDir;
    this.#path = join(dataDir, 'ballast');
  }

  drop(): void {
    rmSync(this.#path, { force: true });
  }

  /** Lays it down if it is not there and the disk has room. Never throws: a disk that is too small for it is no reason not to run. */
  lay(): void {
    try {
      if (statSync(this.#path, { throwIfNoEntry: false })?.size === BYTES) return;
      const { bavail, bsize } = statfsSync(this.#dataDir);
      // Written, not only reserved: a file of holes would free nothing.
      if (bavail * bsize > SPARE * BYTES) writeFileSync(this.#path, Buffer.alloc(BYTES), { mode: 0o600 });
    } catch {
      this.drop();
    }
  }
}
