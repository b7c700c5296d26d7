import { memo } from 'react';
import type { TraderStatus } from '@trademind/core';
import { counted } from '../view/format.ts';
import { traderView } from '../view/traders.ts';
import { Panel } from './panel.tsx';

const TONES = { running: 'good', settling: 'busy', shed: 'busy', paused: 'bad', invalid: 'bad' } as const;

/** The traders that the machine executes, each with its state and how far its symbols get. */
export const CloudExecutionPanel = memo(function CloudExecutionPanel({ traders }: { traders: readonly TraderStatus[] }) {
  const running = traders.filter(({ state }) => state === 'running').length;
  return (
    <Panel title="Traders" area="traders" note={traders.length === 0 ? undefined : `${running} of ${counted(traders.length, 'trader')} running`}>
      {traders.length === 0
        ? <p className="empty">No trader is enabled. <code>npx trademind traders add FILE</code> gives the machine one.</p>
        : (
          <ul className="scroll" aria-label="Traders" tabIndex={0}>
            {traders.map(traderView).map((view) => (
              <li key={view.id} className="trader-row">
                <div className="line"><span className={`pill small ${TONES[view.state]}`}><span className="dot" aria-hidden="true" />{view.state}</span><strong>{view.name}</strong><span className="muted">{view.interval}</span></div>
                {view.state !== 'invalid' && view.state !== 'paused' && (
                  <dl className="funnel">{view.funnel.map(({ name, value }) => <div key={name}><dt>{name}</dt><dd className="number">{value}</dd></div>)}</dl>
                )}
                <p className="muted">{view.sentence}</p>
              </li>
            ))}
          </ul>
        )}
    </Panel>
  );
});
