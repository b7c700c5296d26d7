import { cp, rm } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { join } from 'node:path';

/** The folders of volumes and of their snapshots. Simulated machines write none, so each may be absent. */
export interface VolumeFolders {
  remove(volumeId: string): Promise<void>;
  /** Copies a volume as it is now. Like Fly's: files being written may be caught in the middle. */
  snapshot(volumeId: string, snapshotId: string): Promise<void>;
  restore(snapshotId: string, volumeId: string): Promise<void>;
}

export function volumeFolders(dataDir: string): VolumeFolders {
  const volume = (id: string) => join(dataDir, 'volumes', id);
  const snapshot = (id: string) => join(dataDir, 'snapshots', id);
  const copy = async (from: string, to: string) => { if (existsSync(from)) await cp(from, to, { recursive: true }); };
  return {
    remove: (id) => rm(volume(id), { recursive: true, force: true }),
    snapshot: (volumeId, snapshotId) => copy(volume(volumeId), snapshot(snapshotId)),
    restore: (snapshotId, volumeId) => copy(snapshot(snapshotId), volume(volumeId)),
  };
}
