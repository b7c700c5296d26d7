import { useSyncExternalStore } from 'react';
import type { Dashboard } from './dashboard.ts';
import { MachineFace } from './components/machine-face.tsx';
import { Header } from './components/header.tsx';
import { Busy, Notice } from './components/notice.tsx';
import { SignIn } from './components/sign-in.tsx';

/** The page: one face for every state of the dashboard. */
export function App({ dashboard, local }: { dashboard: Dashboard; local: boolean }) {
  const state = useSyncExternalStore(dashboard.subscribe, dashboard.get);
  if (state.kind === 'signing-in') return <main className="face"><Busy>Signing in</Busy></main>;
  if (state.kind === 'signed-out') return <SignIn notice={state.notice} local={local} signIn={(email, password) => dashboard.signIn(email, password)} />;
  const { machine, feed, trouble, who } = state;
  return (
    <>
      <Header machine={machine ?? null} feed={feed} who={who} signOut={() => void dashboard.signOut()} />
      <main>
        {trouble && (
          <Notice tone="warn" title={trouble.message} action={{ label: 'Try again', run: () => dashboard.retryNow() }}>
            {trouble.nextStep} <small className="code">{trouble.code}</small>
          </Notice>
        )}
        {machine === undefined && !trouble && <div className="face"><Busy>Looking for your machine</Busy></div>}
        {machine === null && (
          <div className="face">
            <section className="card" aria-labelledby="none">
              <h1 id="none">You have no machine yet</h1>
              <p>One command gives you a machine of your own that watches the market around the clock:</p>
              <pre><code>npx trademind deploy</code></pre>
              <p className="muted">This page goes on by itself once it is asked for.</p>
            </section>
          </div>
        )}
        {machine && <MachineFace machine={machine} feed={feed} retry={() => dashboard.retryNow()} start={() => dashboard.startMachine()} />}
      </main>
    </>
  );
}
