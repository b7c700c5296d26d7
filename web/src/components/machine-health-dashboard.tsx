import type { HealthReport, MachineSize, MachineStatus } from '@trademind/core';
import { crashView, healthRows, healthSummary, STATE_LABELS, STATE_TONES } from '../view/health.ts';
import { Panel } from './panel.tsx';
import { useNow } from './use-now.ts';

interface HealthProps { status: MachineStatus; health: HealthReport | undefined; marketTime: number | null; size: MachineSize }

/** How the machine fares: what is not well in sentences with what to do, then its own measures. */
export function MachineHealthDashboard({ status, health, marketTime, size }: HealthProps) {
  return (
    <Panel title="Machine" area="health" note={status.detail}>
      {status.problems.length > 0 && (
        <ul className="problems" role="alert">{status.problems.map(({ code, message }) => <li key={code}>{message} <small className="code">{code}</small></li>)}</ul>
      )}
      <div className="scroll">
        {health && <Components health={health} />}
        <dl className="measures">
          {healthRows(status, marketTime, size).map(({ name, value, note, bad, meter }) => (
            <div key={name} className={bad ? 'bad' : undefined}>
              <dt>{name}</dt>
              <dd><span className="number">{value}</span> {note && <span className="muted">{note}</span>}{meter && <meter min={0} max={meter.max} low={meter.low} high={meter.high} optimum={0} value={meter.value} aria-label={name} />}</dd>
            </div>
          ))}
        </dl>
      </div>
    </Panel>
  );
}

function Components({ health }: { health: HealthReport }) {
  const now = useNow();
  const { state, sentence, unwell, well } = healthSummary(health);
  const crash = health.crash && crashView(health.crash, now);
  return (
    <div className="components">
      <p><span className={`pill small ${STATE_TONES[state]}`}><span className="dot" aria-hidden="true" />{STATE_LABELS[state]}</span> {sentence}</p>
      {unwell.length > 0 && (
        <ul>
          {unwell.map((one) => (
            <li key={one.component} className={STATE_TONES[one.state]}>
              <b>{one.title}</b> {STATE_LABELS[one.state].toLowerCase()}
              <p>{one.sentence}</p>
              {one.nextStep && <p className="muted">→ {one.nextStep}</p>}
            </li>
          ))}
        </ul>
      )}
      {crash && (
        <details>
          <summary><b>{crash.title}</b> <span className="muted">{crash.when}</span></summary>
          <p>{crash.sentence}</p>
          {crash.log.length > 0 && <pre>{crash.log.join('\n')}</pre>}
        </details>
      )}
      {well.length > 0 && <p className="muted">Well: {well.map(({ title }) => title).join(', ')}.</p>}
    </div>
  );
}
