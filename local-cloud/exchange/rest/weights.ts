/** Binance Spot: so much request weight a minute and address. */
export const WEIGHT_LIMIT = 6_000;
/** So many requests after the limit, and the address is banned: 2 minutes first, twice as long each time, up to 3 days. */
const PATIENCE = 10;
const FIRST_BAN = 2 * 60_000;
const LONGEST_BAN = 3 * 24 * 60 * 60_000;
const MINUTE = 60_000;

type Charged =
  | { ok: true; used: number }
  | { ok: false; status: 429 | 418; used: number; retryAfterSeconds: number; message: string };

interface Account { minute: number; used: number; refused: number; bannedUntil: number; bans: number; highest: number; refusals: number }

/** The request weights of each address, counted in minutes of wall time as Binance does. */
export class Weights {
  readonly #now: () => number;
  readonly #accounts = new Map<string, Account>();

  constructor(now: () => number) {
    this.#now = now;
  }

  /** Charges a request; says with which status to refuse it when the budget is used up. */
  charge(address: string, weight: number): Charged {
    const now = this.#now();
    const minute = Math.floor(now / MINUTE);
    let account = this.#accounts.get(address);
    if (!account) this.#accounts.set(address, account = { minute, used: 0, refused: 0, bannedUntil: 0, bans: 0, highest: 0, refusals: 0 });
    if (account.minute !== minute) Object.assign(account, { minute, used: 0, refused: 0 });
    if (now < account.bannedUntil) return banned(account, now);
    account.used += weight;
    account.highest = Math.max(account.highest, account.used);
    if (account.used <= WEIGHT_LIMIT) return { ok: true, used: account.used };
    account.refusals += 1;
    if (++account.refused > PATIENCE) {
      account.bannedUntil = now + Math.min(FIRST_BAN * 2 ** account.bans++, LONGEST_BAN);
      return banned(account, now);
    }
    return {
      ok: false, status: 429, used: account.used,
      retryAfterSeconds: Math.max(1, Math.ceil(((minute + 1) * MINUTE - now) / 1000)),
      message: `Too much request weight used; current limit is ${WEIGHT_LIMIT} request weight per 1 MINUTE. Please use WebSocket Streams for live updates to avoid polling the API.`,
    };
  }

  /** Of each address: weight used this minute and at most in any minute, requests refused with 429, bans. */
  report(): Record<string, { used: number; highest: number; refusals: number; bans: number; bannedUntil: number }> {
    const minute = Math.floor(this.#now() / MINUTE);
    return Object.fromEntries([...this.#accounts].map(([address, { used, highest, refusals, bans, bannedUntil, ...account }]) => [
      address, { used: account.minute === minute ? used : 0, highest, refusals, bans, bannedUntil },
    ]));
  }
}

function banned(account: Account, now: number): Charged {
  return {
    ok: false, status: 418, used: account.used,
    retryAfterSeconds: Math.max(1, Math.ceil((account.bannedUntil - now) / 1000)),
    message: `Way too much request weight used; IP banned until ${account.bannedUntil}. Please use WebSocket Streams for live updates to avoid bans.`,
  };
}
