import { createClient, type Session, type SupabaseClient } from '@supabase/supabase-js';

/** Who is signed in. The access token is read anew for every call, for it is renewed in the background. */
export interface SignedIn { userId: string; email: string | null }

/** The part of signing in that the dashboard uses. Methods reject with an Error whose message is meant for the user. */
export interface Auth {
  current(): Promise<SignedIn | null>;
  accessToken(): Promise<string | null>;
  openLink(tokenHash: string): Promise<SignedIn>;
  signIn(email: string, password: string): Promise<SignedIn>;
  signOut(): Promise<void>;
  /** Calls back when the session ended, here or in another tab. */
  onSignedOut(listener: () => void): void;
}

/** Signs in with Supabase; its client keeps and renews the session. */
export function createSupabaseAuth(url: string, publishableKey: string): Auth {
  const { auth }: SupabaseClient = createClient(url, publishableKey, { auth: { detectSessionInUrl: false, persistSession: true, autoRefreshToken: true } });
  const read = async (): Promise<Session | null> => (await auth.getSession()).data.session;
  return {
    current: async () => whoIs(await read()),
    accessToken: async () => (await read())?.access_token ?? null,
    async openLink(tokenHash) {
      const { data, error } = await auth.verifyOtp({ token_hash: tokenHash, type: 'magiclink' });
      return sure(whoIs(data.session), error, 'This link was used before or is too old.');
    },
    async signIn(email, password) {
      const { data, error } = await auth.signInWithPassword({ email, password });
      return sure(whoIs(data.session), error, 'This e-mail and password do not belong together.');
    },
    async signOut() {
      await auth.signOut({ scope: 'local' });
    },
    onSignedOut(listener) {
      auth.onAuthStateChange((event) => { if (event === 'SIGNED_OUT') listener(); });
    },
  };
}

function whoIs(session: Session | null): SignedIn | null {
  return session && { userId: session.user.id, email: session.user.email ?? null };
}

function sure(who: SignedIn | null, error: { status?: number | undefined; message: string } | null, refused: string): SignedIn {
  if (who) return who;
  if (error?.status !== undefined && error.status >= 400 && error.status < 500 && error.status !== 429) throw new Error(refused);
  if (error?.status === 429) throw new Error('Too many tries. Wait a minute and try again.');
  throw new Error('The sign-in service does not answer. Is it running?');
}
