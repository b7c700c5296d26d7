import type { Checks } from './checks.ts';
import type { Images } from './images.ts';
import type { Lifecycle } from './lifecycle.ts';
import type { Runtime } from './runtime.ts';
import type { Store } from './store.ts';

/** What the verbs of the API work on. */
export interface Platform {
  store: Store;
  lifecycle: Lifecycle;
  runtime: Runtime;
  checks: Checks;
  images: Images;
  now: () => number;
  /** Removes a volume's folder. */
  removeVolume: (id: string) => Promise<void>;
  /** Aborted when the stand-in goes down, so that nobody waits longer. */
  closing: AbortSignal;
}
