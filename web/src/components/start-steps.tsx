import type { StartProgress } from '../view/progress.ts';

/** The way of a machine from the wish to screening, with how much history is in. */
export function StartSteps({ progress: { steps, sentence, history } }: { progress: StartProgress }) {
  return (
    <section className="steps" aria-label="Start of the machine">
      <ol>
        {steps.map(({ label, state }) => (
          <li key={label} className={state} aria-current={state === 'now' ? 'step' : undefined}>{label}</li>
        ))}
      </ol>
      <p role="status">{sentence}</p>
      {history && <progress value={history.done} max={history.total} aria-label="History read" />}
    </section>
  );
}
