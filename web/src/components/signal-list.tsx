import { memo, useMemo, useState } from 'react';
import type { Signal } from '@trademind/core';
import { count } from '../view/format.ts';
import { announcement, signalView, type ConditionView, type SignalView } from '../view/signals.ts';
import { Panel } from './panel.tsx';

const SHOWN = 100;

/** The machine's signals, newest candle first; a new live one is also said aloud. */
export const SignalList = memo(function SignalList({ signals }: { signals: readonly Signal[] }) {
  const views = useMemo(() => signals.slice(0, SHOWN).map(signalView), [signals]);
  // What was there when the page opened did not just arrive.
  const [known] = useState(() => new Set(signals.map(({ id }) => id)));
  const live = signals.filter(({ origin }) => origin === 'live');
  return (
    <Panel title="Signals" area="signals" note={signals.length === 0 ? undefined : `${count(live.length)} live, ${count(signals.length - live.length)} from history`}>
      <p className="unseen" aria-live="polite">{live[0] && announcement(live[0])}</p>
      {views.length === 0
        ? <p className="empty">No trader has matched yet. What was found in the history of the last 24 hours is shown here too.</p>
        : <ol className="scroll" aria-label="Signals, newest first" tabIndex={0}>{views.map((view) => <SignalRow key={view.id} view={view} fresh={!known.has(view.id)} />)}</ol>}
    </Panel>
  );
});

const SignalRow = memo(function SignalRow({ view, fresh }: { view: SignalView; fresh: boolean }) {
  return (
    <li className={`signal${view.history ? ' history' : ''}${fresh ? ' fresh' : ''}`}>
      <div className="line">
        <span className={`side ${view.side.toLowerCase()}`}>{view.side}</span>
        <strong>{view.symbol}</strong>
        <span className="number">{view.price}</span>
        <span className="trader" title={view.trader}>{view.trader}</span>
        {view.history && <span className="tag" title="Found in the history that was read at the start, before the trader went live">history</span>}
        {view.forming && <span className="tag" title="The candle had not closed yet">forming</span>}
        <span className="muted closed" title={`The ${view.closed}`}>{view.closedShort}</span>
      </div>
      <ul className="conditions">{view.conditions.map((condition) => <Condition key={condition.name} condition={condition} />)}</ul>
    </li>
  );
}, (before, after) => before.view.id === after.view.id);

const MARKS = { 'holds': '✓', 'fails': '✗', 'not ready': '–' } as const;

function Condition({ condition: { name, expression, holds, values } }: { condition: ConditionView }) {
  return (
    <li className={holds.replace(' ', '-')}>
      <span title={holds} role="img" aria-label={holds}>{MARKS[holds]}</span>
      <span className="condition">{name} <code>{expression}</code></span>
      <span className="values">{values.map((value) => <span key={value.expression}><code>{value.expression}</code> <b className="number">{value.value}</b></span>)}</span>
    </li>
  );
}
