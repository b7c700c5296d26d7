import type { Capacity } from './capacity.ts';
import type { Checks } from './checks.ts';
import type { Counts } from './counts.ts';
import type { Faults } from './faults/faults.ts';
import type { PastLists } from './faults/past-lists.ts';
import type { Images } from './images.ts';
import type { Lifecycle } from './lifecycle.ts';
import type { Runtime } from './runtime.ts';
import type { Store } from './store.ts';
import type { VolumeFolders } from './volume-folders.ts';

/** What the verbs of the API work on. */
export interface Platform {
  store: Store;
  lifecycle: Lifecycle;
  runtime: Runtime;
  checks: Checks;
  images: Images;
  now: () => number;
  folders: VolumeFolders;
  faults: Faults;
  /** What lists show while they are behind the truth. */
  past: PastLists;
  capacity: Capacity;
  counts: Counts;
  /** By how many ms the times that are told are wrong. */
  skew: () => number;
  /** Aborted when the stand-in goes down, so that nobody waits longer. */
  closing: AbortSignal;
}
