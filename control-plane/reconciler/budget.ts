import Bottleneck from 'bottleneck';
import type { FlyClient } from '@trademind/fly';

/** Fly's own limits of one action on one machine or app, requests per second and at once. Source: Fly's documentation of the Machines API. */
const PER_THING = { action: { perSecond: 1, burst: 3 }, read: { perSecond: 5, burst: 10 } } as const;
/** The whole budget is handed out in slices of this length, so that a second does not begin with all of it at once. */
const SLICE_MS = 250;
const NO_LIMIT: ReadonlySet<string> = new Set(['apps.create', 'apps.delete']);

export interface BudgetOptions {
  /** Requests per second that all replicas together may send. */
  perSecond: number;
  now: () => number;
  sleep: (ms: number) => Promise<unknown>;
}

export interface FlyBudget {
  /** The client, each call of it within the budget. */
  spend(fly: FlyClient): FlyClient;
  /** So many replicas live: this one has its share. */
  share(replicas: number): void;
  stop(): Promise<void>;
}

type Method = (...args: unknown[]) => Promise<unknown>;

/** One replica's share of what Fly allows: in all, held by a Bottleneck, and for each action on each thing. */
export function createFlyBudget({ perSecond, now, sleep }: BudgetOptions): FlyBudget {
  const slice = (replicas: number) => Math.max(1, Math.floor((perSecond / Math.max(1, replicas)) * (SLICE_MS / 1_000)));
  let allowed = slice(1);
  // who comes while there is room goes at once; behind it the others wait in a Bottleneck, whose every job costs milliseconds of timers
  let room = allowed;
  let given = 0;
  const limiter = new Bottleneck({ reservoir: 0 });
  const waiting = () => !limiter.empty();
  // by hand: Bottleneck's own refresh ends for good when its settings are changed (2.19.5)
  const refill = setInterval(() => {
    const free = waiting() ? 0 : allowed;
    if (given === 0 && free > 0) {
      room = free;
      return;
    }
    // what was left to those who waited is taken back before others may go
    room = 0;
    given = allowed - free;
    // its types do not say so, but this is a promise
    void Promise.resolve<unknown>(limiter.updateSettings({ reservoir: given })).then(() => { room = free; });
  }, SLICE_MS);
  refill.unref();
  const schedule = <T>(job: () => Promise<T>): Promise<T> => {
    if (room <= 0 || waiting()) return limiter.schedule(job);
    room -= 1;
    return job();
  };
  const turns = new Turns(now);

  const wrap = (name: string, method: Method): Method => async (...args) => {
    const [app, machine] = args;
    // the first argument of all but the lists of apps and of the organisation is the app, the second of a machine's verbs the machine
    const thing = typeof machine === 'string' && /^(machines|leases)\./.test(name) ? machine : typeof app === 'string' ? app : '';
    const waitMs = NO_LIMIT.has(name) || thing === '' ? 0 : turns.take(name === 'machines.get' ? 'read' : 'action', `${name}:${thing}`);
    if (waitMs > 0) await sleep(waitMs);
    return schedule(() => method(...args));
  };
  const wrapGroup = <T extends object>(group: string, methods: T): T => Object.fromEntries(Object.entries(methods).map(([name, method]) => [
    name, typeof method === 'function' ? wrap(`${group}.${name}`, method as Method) : method,
  ])) as T;

  return {
    spend: (fly) => ({
      ...fly,
      apps: wrapGroup('apps', fly.apps), machines: wrapGroup('machines', fly.machines), leases: wrapGroup('leases', fly.leases), volumes: wrapGroup('volumes', fly.volumes),
      secrets: wrapGroup('secrets', fly.secrets), ipAssignments: wrapGroup('ipAssignments', fly.ipAssignments),
      listOrgMachines: (query, options) => schedule(() => fly.listOrgMachines(query, options)),
    }),
    share: (replicas) => { allowed = slice(replicas); },
    stop: async () => { clearInterval(refill); await limiter.stop({ dropWaitingJobs: true }); },
  };
}

/** When each thing may be asked next: token buckets that answer how long to wait. Those that are full again are forgotten. */
class Turns {
  readonly #now: () => number;
  readonly #buckets = new Map<string, { tokens: number; at: number }>();
  constructor(now: () => number) { this.#now = now; }

  take(kind: keyof typeof PER_THING, key: string): number {
    const { perSecond, burst } = PER_THING[kind];
    const now = this.#now();
    const before = this.#buckets.get(key) ?? { tokens: burst, at: now };
    const tokens = Math.min(burst, before.tokens + ((now - before.at) / 1_000) * perSecond) - 1;
    this.#buckets.set(key, { tokens, at: now });
    if (this.#buckets.size > 20_000) for (const [name, bucket] of this.#buckets) if (now - bucket.at > 10_000) this.#buckets.delete(name);
    return tokens >= 0 ? 0 : Math.ceil((-tokens / perSecond) * 1_000);
  }
}
