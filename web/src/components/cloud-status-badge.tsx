import type { MachineView } from '@trademind/core';
import type { FeedView } from '@trademind/feed-client';
import { cloudStatus } from '../view/cloud-status.ts';
import { dayTime, duration } from '../view/format.ts';
import { useNow } from './use-now.ts';

/** The machine in one line: phase and since when, region, size, price. */
export function CloudStatusBadge({ machine, feed }: { machine: MachineView; feed: FeedView }) {
  const now = useNow();
  const { label, tone, since, facts } = cloudStatus(machine, feed);
  return (
    <div className="badge">
      <span className={`pill ${tone}`}><span className="dot" aria-hidden="true" />{label}</span>
      {since !== null && <time className="muted" dateTime={new Date(since).toISOString()} title={`since ${dayTime(since, true)} UTC`}>for {duration(now - since)}</time>}
      <dl>
        {facts.map(({ name, value }) => <div key={name}><dt>{name}</dt><dd>{value}</dd></div>)}
      </dl>
    </div>
  );
}
