import { createFeedClient } from '@trademind/feed-client';
import { createRoot } from 'react-dom/client';
import { App } from './app.tsx';
import { createSupabaseAuth } from './auth.ts';
import { isLocal, loadConfig } from './config.ts';
import { createControlPlane } from './control-plane.ts';
import { Dashboard } from './dashboard.ts';
import { Notice } from './components/notice.tsx';

const root = createRoot(document.querySelector('#root') ?? document.body);

try {
  const config = await loadConfig();
  const auth = createSupabaseAuth(config.supabaseUrl, config.publishableKey);
  const dashboard = new Dashboard({
    auth,
    controlPlane: createControlPlane(config.controlPlaneUrl, auth.accessToken),
    createFeed: (getTicket) => createFeedClient({ getTicket }),
    takeFragment() {
      const fragment = location.hash.slice(1);
      // A link's secret does not stay in the address bar or in the history.
      if (fragment !== '') history.replaceState(null, '', location.pathname + location.search);
      return fragment;
    },
    soon: (run) => requestAnimationFrame(run),
  });
  addEventListener('online', () => dashboard.retryNow());
  document.addEventListener('visibilitychange', () => { if (!document.hidden) dashboard.retryNow(); });
  root.render(<App dashboard={dashboard} local={isLocal(config)} />);
  await dashboard.open();
} catch {
  root.render(<main className="face"><Notice tone="bad" title="The dashboard could not be loaded">Its server did not answer. Reload the page in a moment.</Notice></main>);
}
