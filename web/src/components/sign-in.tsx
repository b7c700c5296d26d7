import { useState, type FormEvent } from 'react';

interface SignInProps { notice: string | null; local: boolean; signIn: (email: string, password: string) => Promise<void> }

/** The signed-out face: e-mail and password, and where a link comes from. */
export function SignIn({ notice, local, signIn }: SignInProps) {
  const [said, setSaid] = useState<string | null>(null);
  const [busy, setBusy] = useState(false);
  const submit = (event: FormEvent<HTMLFormElement>): void => {
    event.preventDefault();
    const fields = new FormData(event.currentTarget);
    const text = (name: string): string => {
      const value = fields.get(name);
      return typeof value === 'string' ? value : '';
    };
    setBusy(true);
    setSaid(null);
    signIn(text('email').trim(), text('password')).catch((error: unknown) => {
      setSaid(error instanceof Error ? error.message : 'Signing in failed.');
      setBusy(false);
    });
  };
  return (
    <main className="face">
      <form className="card" onSubmit={submit} aria-labelledby="sign-in">
        <h1 id="sign-in"><img src="/favicon.svg" alt="" width="28" height="28" /> TradeMind</h1>
        <p className="muted">Sign in to see your machine.</p>
        <p role="alert" className={said ?? notice ? 'said' : 'said empty'}>{said ?? notice}</p>
        <label>E-mail<input name="email" type="email" autoComplete="username" required /></label>
        <label>Password<input name="password" type="password" autoComplete="current-password" required /></label>
        <button type="submit" className="primary" disabled={busy}>{busy ? 'Signing in…' : 'Sign in'}</button>
        {local && <p className="muted">On this computer, <code>npx trademind open</code> prints a fresh link that signs you in.</p>}
      </form>
    </main>
  );
}
