import type { Deed } from './act.ts';

/** Deeds of which none needs what another of them does, on things that Fly counts apart. */
const INDEPENDENT: ReadonlySet<Deed['kind']> = new Set(['create-ip', 'create-volume', 'set-secret', 'delete-volume', 'release-ip']);

/** Deeds in their order; those of one stage are done side by side. */
export function stagesOf(deeds: readonly Deed[]): Deed[][] {
  const stages: Deed[][] = [];
  for (const deed of deeds) {
    const last = stages.at(-1);
    if (last !== undefined && [deed, ...last].every(({ kind }) => INDEPENDENT.has(kind))) last.push(deed);
    else stages.push([deed]);
  }
  return stages;
}
