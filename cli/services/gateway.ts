import { parseWith, Signal, TradeMindError } from '@trademind/core';
import * as z from 'zod/mini';
import { call, HttpError, type Fetch } from './http.ts';

const Session = z.object({ access_token: z.string(), refresh_token: z.string(), expires_in: z.number(), user: z.object({ id: z.uuid(), email: z.optional(z.string()) }) });
const Link = z.object({ hashed_token: z.string() });

export interface SignedIn { userId: string; email: string; token: string; expiresAt: number }

/** The part of Supabase that the terminal uses: Auth and a user's own rows. */
export function gateway(options: { url: string; publishableKey: string; fetch?: Fetch }) {
  const fetch = options.fetch ?? globalThis.fetch;
  const open = { apikey: options.publishableKey };
  return {
    /** Signs in with a password. Rejects with `not_signed_in` when the account or password is not known. */
    async signIn(email: string, password: string, now = Date.now()): Promise<SignedIn> {
      try {
        const { body } = await call(fetch, `${options.url}/auth/v1/token?grant_type=password`, { method: 'POST', headers: open, body: { email, password } });
        const session = parseWith(Session, body, 'unexpected_answer', 'sign-in');
        return { userId: session.user.id, email, token: session.access_token, expiresAt: now + session.expires_in * 1_000 };
      } catch (error) {
        if (error instanceof HttpError && error.status === 400) {
          throw new TradeMindError({ code: 'not_signed_in', message: `${email} cannot sign in: ${error.message}`, nextStep: 'Start over with `npm start -- --reset`.', cause: error });
        }
        throw error;
      }
    },
    /** Makes a user whose address counts as confirmed; one that is there already is left as it is. */
    async createUser(secretKey: string, email: string, password: string): Promise<void> {
      try {
        await call(fetch, `${options.url}/auth/v1/admin/users`, { method: 'POST', headers: admin(secretKey), body: { email, password, email_confirm: true } });
      } catch (error) {
        if (!(error instanceof HttpError && (error.code === 'email_exists' || error.code === 'user_already_exists'))) throw error;
      }
    },
    /** A one-time sign-in token for the page (the part of a magic link that counts). */
    async magicToken(secretKey: string, email: string): Promise<string> {
      const { body } = await call(fetch, `${options.url}/auth/v1/admin/generate_link`, { method: 'POST', headers: admin(secretKey), body: { type: 'magiclink', email } });
      return parseWith(Link, body, 'unexpected_answer', 'generate_link').hashed_token;
    },
    /** The user's newest signals (market time), newest first. */
    async signals(token: string, limit: number): Promise<Signal[]> {
      const { body } = await call(fetch, `${options.url}/rest/v1/signals?select=*&order=close_time.desc,id.asc&limit=${limit}`, {
        headers: { ...open, authorization: `Bearer ${token}` },
      });
      return parseWith(z.array(SignalRow), body, 'unexpected_answer', 'signals').map(toSignal);
    },
  };
}
export type Gateway = ReturnType<typeof gateway>;

const admin = (secretKey: string) => ({ apikey: secretKey, authorization: `Bearer ${secretKey}` });

const SignalRow = z.object({
  id: z.uuid(), trader_id: z.uuid(), trader_version: z.int(), trader_name: z.string(), symbol: z.string(), interval: Signal.shape.interval,
  open_time: z.string(), close_time: z.string(), side: Signal.shape.side, price: z.union([z.number(), z.string()]), phase: Signal.shape.phase,
  origin: Signal.shape.origin, conditions: Signal.shape.conditions,
});

function toSignal(row: z.infer<typeof SignalRow>): Signal {
  return {
    id: row.id, traderId: row.trader_id, traderVersion: row.trader_version, traderName: row.trader_name, symbol: row.symbol, interval: row.interval,
    side: row.side, price: Number(row.price), openTime: Date.parse(row.open_time), closeTime: Date.parse(row.close_time), phase: row.phase,
    origin: row.origin, conditions: row.conditions,
  };
}

/** The page's address that signs its reader in once. The token stands behind `#`: it never reaches a server's log. */
export function magicLink(dashboard: string, token: string): string {
  return `${dashboard.replace(/\/$/, '')}/#token_hash=${encodeURIComponent(token)}&type=magiclink`;
}
