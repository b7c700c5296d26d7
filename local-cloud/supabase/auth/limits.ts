import { AuthError } from './errors.ts';

/** A project's rate limits, under the names of Supabase's own configuration. */
export interface RateLimits {
  /** Mails of the whole project per hour. */
  emailSent: number;
  /** Seconds between two mails to one user. */
  emailFrequencySeconds: number;
  /** Per address and five minutes. */
  signInSignUps: number;
  tokenRefresh: number;
  tokenVerifications: number;
}

/** What a Supabase project starts with (with an SMTP server of its own). */
export const DEFAULT_RATE_LIMITS: RateLimits = { emailSent: 30, emailFrequencySeconds: 60, signInSignUps: 30, tokenRefresh: 150, tokenVerifications: 30 };
export const NO_RATE_LIMITS: RateLimits = {
  emailSent: Infinity, emailFrequencySeconds: 0, signInSignUps: Infinity, tokenRefresh: Infinity, tokenVerifications: Infinity,
};

const FIVE_MINUTES = 300_000;
const MOST_KEYS = 10_000;

/** Token buckets, one per key: `burst` at once, refilled evenly over `perMs`. Bounded: the key longest silent is forgotten first. */
class Buckets {
  readonly #burst: number;
  readonly #perMs: number;
  readonly #now: () => number;
  readonly #levels = new Map<string, { level: number; at: number }>();

  constructor(burst: number, perMs: number, now: () => number) {
    this.#burst = burst;
    this.#perMs = perMs;
    this.#now = now;
  }

  /** 0 when the request may go on, else the milliseconds until it may. */
  take(key: string): number {
    if (this.#burst === Infinity) return 0;
    const at = this.#now();
    const last = this.#levels.get(key) ?? { level: this.#burst, at };
    const level = Math.min(this.#burst, last.level + (Math.max(0, at - last.at) / this.#perMs) * this.#burst);
    this.#levels.delete(key);
    this.#levels.set(key, { level: level >= 1 ? level - 1 : level, at });
    if (this.#levels.size > MOST_KEYS) this.#levels.delete(this.#levels.keys().next().value as string);
    return level >= 1 ? 0 : Math.ceil(((1 - level) / this.#burst) * this.#perMs);
  }
}

export interface Limiter {
  /** Each throws over_request_rate_limit (429). */
  signInSignUp(address: string): void;
  tokenRefresh(address: string): void;
  tokenVerification(address: string): void;
  /** Throws over_email_send_rate_limit (429): too soon after the user's last mail, or too many mails of the project. */
  email(lastSentAt: Date | null): void;
}

export function createLimiter(limits: RateLimits, now: () => number): Limiter {
  const per = (burst: number) => {
    const buckets = new Buckets(burst, FIVE_MINUTES, now);
    return (address: string) => {
      const waitMs = buckets.take(address);
      if (waitMs > 0) throw new AuthError(429, 'over_request_rate_limit', 'Request rate limit reached', { 'retry-after': String(Math.ceil(waitMs / 1_000)) });
    };
  };
  const mails = new Buckets(limits.emailSent, 3_600_000, now);
  return {
    signInSignUp: per(limits.signInSignUps), tokenRefresh: per(limits.tokenRefresh), tokenVerification: per(limits.tokenVerifications),
    email: (lastSentAt) => {
      const waitMs = lastSentAt === null ? 0 : lastSentAt.getTime() + limits.emailFrequencySeconds * 1_000 - now();
      if (waitMs > 0) {
        const seconds = Math.ceil(waitMs / 1_000);
        throw new AuthError(429, 'over_email_send_rate_limit', `For security purposes, you can only request this after ${seconds} seconds.`, { 'retry-after': String(seconds) });
      }
      if (mails.take('project') > 0) throw new AuthError(429, 'over_email_send_rate_limit', 'email rate limit exceeded');
    },
  };
}
