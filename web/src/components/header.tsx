import type { MachineView } from '@trademind/core';
import type { FeedView } from '@trademind/feed-client';
import type { SignedIn } from '../auth.ts';
import { CloudStatusBadge } from './cloud-status-badge.tsx';

export function Header({ machine, feed, who, signOut }: { machine: MachineView | null; feed: FeedView; who: SignedIn; signOut: () => void }) {
  return (
    <header className="top">
      <p className="brand"><img src="/favicon.svg" alt="" width="24" height="24" /> TradeMind</p>
      {machine && <CloudStatusBadge machine={machine} feed={feed} />}
      <div className="who">
        <span className="muted">{who.email ?? who.userId}</span>
        <button type="button" onClick={signOut}>Sign out</button>
      </div>
    </header>
  );
}
