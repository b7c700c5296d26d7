import type { MachineView } from '@trademind/core';
import type { FeedView } from '@trademind/feed-client';
import { healthOf } from '../view/health.ts';
import { lineNotice } from '../view/line.ts';
import { startProgress } from '../view/progress.ts';
import { CloudExecutionPanel } from './cloud-execution-panel.tsx';
import { LogPanel } from './log-panel.tsx';
import { MachineHealthDashboard } from './machine-health-dashboard.tsx';
import { MachineRest } from './machine-rest.tsx';
import { MarketTable } from './market-table.tsx';
import { Notice } from './notice.tsx';
import { SignalList } from './signal-list.tsx';
import { StartSteps } from './start-steps.tsx';
import { useNow } from './use-now.ts';

interface MachineFaceProps { machine: MachineView; feed: FeedView; retry: () => void; start: () => Promise<void> }

/** Everything about one machine: how it stands, and what it says through its own feed. */
export function MachineFace({ machine, feed, retry, start }: MachineFaceProps) {
  const now = useNow();
  const line = lineNotice(feed.state, now);
  const progress = startProgress(machine, feed);
  const { status } = feed;
  return (
    <>
      <MachineRest machine={machine} start={start} />
      {progress && <StartSteps progress={progress} />}
      {line && <Notice tone={line.tone} title={line.title} {...(line.canRetry ? { action: { label: 'Try now', run: retry } } : {})}>{line.sentence}</Notice>}
      {status && (
        <div className="board">
          <SignalList signals={feed.signals} />
          <CloudExecutionPanel traders={status.traders} />
          <MarketTable markets={feed.markets} />
          <MachineHealthDashboard status={status} health={healthOf(machine, feed, now)} marketTime={feed.marketTime} size={machine.size ?? machine.desired.size} />
          <LogPanel log={feed.log} />
        </div>
      )}
    </>
  );
}
