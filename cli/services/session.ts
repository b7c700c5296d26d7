import type { Gateway, SignedIn } from './gateway.ts';

export interface Session {
  /** Who is signed in, with a token that is good for a while; renewed at half its life. */
  current(): Promise<SignedIn>;
  token(): Promise<string>;
}

/** Keeps one user signed in. */
export function keepSignedIn(gateway: Gateway, email: string, password: string, now: () => number): Session {
  let session: Promise<SignedIn> | null = null;
  let renewAt = 0;
  const current = async (): Promise<SignedIn> => {
    if (!session || now() >= renewAt) {
      const asked = gateway.signIn(email, password, now());
      const before = session;
      session = asked;
      renewAt = Number.POSITIVE_INFINITY;
      try {
        const signedIn = await asked;
        renewAt = now() + (signedIn.expiresAt - now()) / 2;
      } catch (error) {
        // The gateway may be restarting: a token that is still good is better than none.
        session = before;
        renewAt = 0;
        const old = before ? await before.catch(() => null) : null;
        if (old && old.expiresAt > now()) return old;
        throw error;
      }
    }
    return session;
  };
  return { current, token: async () => (await current()).token };
}
