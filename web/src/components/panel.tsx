import { useId, type ReactNode } from 'react';

/** A titled part of the page, a landmark of its own. */
export function Panel({ title, note, area, children }: { title: string; note?: string | undefined; area: string; children: ReactNode }) {
  const id = useId();
  return (
    <section className={`panel ${area}`} aria-labelledby={id}>
      <header><h2 id={id}>{title}</h2>{note && <span className="muted">{note}</span>}</header>
      {children}
    </section>
  );
}
