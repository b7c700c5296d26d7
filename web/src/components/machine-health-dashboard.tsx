import type { MachineSize, MachineStatus } from '@trademind/core';
import { healthRows } from '../view/health.ts';
import { Panel } from './panel.tsx';

/** The machine's own measures, and in sentences what is wrong. */
export function MachineHealthDashboard({ status, marketTime, size }: { status: MachineStatus; marketTime: number | null; size: MachineSize }) {
  return (
    <Panel title="Machine" area="health" note={status.detail}>
      {status.problems.length > 0 && (
        <ul className="problems" role="alert">{status.problems.map(({ code, message }) => <li key={code}>{message} <small className="code">{code}</small></li>)}</ul>
      )}
      <dl className="measures scroll">
        {healthRows(status, marketTime, size).map(({ name, value, note, bad, meter }) => (
          <div key={name} className={bad ? 'bad' : undefined}>
            <dt>{name}</dt>
            <dd><span className="number">{value}</span> {note && <span className="muted">{note}</span>}{meter && <meter min={0} max={meter.max} value={meter.value} aria-label={name} />}</dd>
          </div>
        ))}
      </dl>
    </Panel>
  );
}
