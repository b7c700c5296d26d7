import { sizeName, type MachinePhase, type MachineView } from '@trademind/core';
import type { FeedView } from '@trademind/feed-client';
import { dollars } from './format.ts';

export type Tone = 'good' | 'busy' | 'warn' | 'bad' | 'off';
export interface CloudStatus { label: string; tone: Tone; since: number | null; facts: { name: string; value: string }[] }

const PHASES: Readonly<Record<MachinePhase | 'booting' | 'draining', { label: string; tone: Tone }>> = {
  requested: { label: 'Requested', tone: 'busy' },
  creating: { label: 'Creating', tone: 'busy' },
  starting: { label: 'Starting', tone: 'busy' },
  booting: { label: 'Starting', tone: 'busy' },
  backfilling: { label: 'Reading history', tone: 'busy' },
  screening: { label: 'Screening', tone: 'good' },
  draining: { label: 'Finishing its work', tone: 'warn' },
  stopping: { label: 'Stopping', tone: 'warn' },
  stopped: { label: 'Stopped', tone: 'off' },
  failed: { label: 'Needs help', tone: 'bad' },
  destroying: { label: 'Being destroyed', tone: 'warn' },
  destroyed: { label: 'Destroyed', tone: 'off' },
};

/** Names of Fly's regions for people. */
const CITIES: Readonly<Record<string, string>> = {
  ams: 'Amsterdam', arn: 'Stockholm', cdg: 'Paris', dfw: 'Dallas', ewr: 'Secaucus', fra: 'Frankfurt', gru: 'São Paulo', iad: 'Ashburn', jnb: 'Johannesburg',
  lax: 'Los Angeles', lhr: 'London', nrt: 'Tokyo', ord: 'Chicago', sin: 'Singapore', sjc: 'San Jose', syd: 'Sydney', yyz: 'Toronto',
};

/**
 * What the badge says: the machine's own word while its feed is live, the control plane's otherwise. A machine whose line is lost is not
 * called down: its last known phase stays, and the line's state is told elsewhere.
 */
export function cloudStatus(machine: MachineView, feed: FeedView): CloudStatus {
  const own = feed.state.phase === 'live' ? feed.status?.phase : undefined;
  const phase = own ?? machine.phase;
  const paused = own === 'screening' && feed.status?.pausedAt !== undefined;
  const { label, tone } = paused ? { label: 'Paused', tone: 'warn' as const } : PHASES[phase];
  const region = machine.region ?? machine.desired.region;
  return {
    label, tone,
    since: phase === machine.phase ? Date.parse(machine.phaseSince) : null,
    facts: [
      { name: 'Region', value: CITIES[region] ? `${CITIES[region]} (${region})` : region },
      { name: 'Size', value: sizeName(machine.size ?? machine.desired.size) },
      ...(machine.monthlyPriceUsd === null ? [] : [{ name: 'Price', value: `${dollars(machine.monthlyPriceUsd)} a month` }]),
    ],
  };
}
