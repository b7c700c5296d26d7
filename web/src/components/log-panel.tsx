import { memo } from 'react';
import type { LogEntry } from '@trademind/core';
import { dayTime, time } from '../view/format.ts';
import { Panel } from './panel.tsx';

/** What the machine did, newest first. */
export const LogPanel = memo(function LogPanel({ log }: { log: readonly LogEntry[] }) {
  return (
    <Panel title="Log" area="log">
      {log.length === 0
        ? <p className="empty">The machine has said nothing yet.</p>
        : (
          <ol className="scroll" aria-label="Log, newest first" tabIndex={0}>
            {log.toReversed().map((entry, index) => (
              <li key={`${entry.at} ${entry.code} ${log.length - index}`} className={`entry ${entry.level}`}>
                <time className="muted number" dateTime={new Date(entry.at).toISOString()} title={`${dayTime(entry.at, true)} UTC`}>{time(entry.at, true)}</time>
                <span>{entry.level !== 'info' && <b>{entry.level === 'warn' ? 'warning' : 'error'}: </b>}{entry.message}</span>
              </li>
            ))}
          </ol>
        )}
    </Panel>
  );
});
