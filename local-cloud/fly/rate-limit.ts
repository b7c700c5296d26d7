/** Fly's limits: requests per second and burst, per action and id. Source: Fly's documentation of the Machines API. */
export const LIMITS = { action: { perSecond: 1, burst: 3 }, 'get-machine': { perSecond: 5, burst: 10 }, 'app-delete': { perSecond: 100 / 60, burst: 100 } } as const;

interface Bucket { tokens: number; at: number }

/** Token buckets by key. `take` answers whether one more request is allowed now. */
export class RateLimits {
  readonly #now: () => number;
  readonly #buckets = new Map<string, Bucket>();

  constructor(now: () => number) {
    this.#now = now;
  }

  take(kind: keyof typeof LIMITS, key: string): boolean {
    const { perSecond, burst } = LIMITS[kind];
    const now = this.#now();
    const bucket = this.#buckets.get(key) ?? { tokens: burst, at: now };
    bucket.tokens = Math.min(burst, bucket.tokens + ((now - bucket.at) / 1000) * perSecond);
    bucket.at = now;
    const allowed = bucket.tokens >= 1;
    if (allowed) bucket.tokens -= 1;
    this.#buckets.set(key, bucket);
    if (this.#buckets.size > 50_000) this.#forgetFull(now);
    return allowed;
  }

  #forgetFull(now: number): void {
    for (const [key, bucket] of this.#buckets) if (now - bucket.at > 10_000) this.#buckets.delete(key);
  }
}
