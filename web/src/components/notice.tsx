import type { ReactNode } from 'react';

interface NoticeProps { tone: 'busy' | 'warn' | 'bad'; title: string; children?: ReactNode; action?: { label: string; run: () => void } }

/** A sentence about what is going on, with what can be done about it. */
export function Notice({ tone, title, children, action }: NoticeProps) {
  return (
    <section className={`notice ${tone}`} role={tone === 'bad' ? 'alert' : 'status'}>
      <div>
        <h2>{title}</h2>
        {children && <p>{children}</p>}
      </div>
      {action && <button type="button" onClick={action.run}>{action.label}</button>}
    </section>
  );
}

/** Something that takes a moment. */
export function Busy({ children }: { children: ReactNode }) {
  return <p className="busy-line" role="status"><span className="spinner" aria-hidden="true" /> {children}…</p>;
}
