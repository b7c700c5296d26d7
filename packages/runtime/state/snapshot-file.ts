import { open, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';

const FILE = 'screener.snapshot';

/** The screener's snapshot in the data folder: the whole one or the one before, whatever interrupts the writing. */
export class SnapshotFile {
  readonly #path: string;
  #writing: Promise<void> = Promise.resolve();

  constructor(dataDir: string) {
    this.#path = join(dataDir, FILE);
  }

  /** The last snapshot; undefined where there is none. */
  async read(): Promise<Uint8Array | undefined> {
    try {
      return await readFile(this.#path);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw error;
    }
  }

  /** Replaces it by these parts, end to end; takes them out of the list as they are written. One write follows the other. Rejects as the disk does; the one before then stays. */
  write(parts: Uint8Array[]): Promise<void> {
    const written = this.#writing.then(() => this.#write(parts));
    this.#writing = written.catch(() => undefined);
    return written;
  }

  /** Throws it away: it is of no use. */
  async remove(): Promise<void> {
    await rm(this.#path, { force: true });
  }

  async #write(parts: Uint8Array[]): Promise<void> {
    const draft = `${this.#path}.new`;
    const file = await open(draft, 'w', 0o600);
    try {
      // What is written need not be held any longer: a snapshot is large.
      for (let part = parts.shift(); part; part = parts.shift()) await file.writeFile(part);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(draft, this.#path);
  }
}
