import type { NotificationEvent } from '@trademind/core';
import { v5 as uuidV5 } from 'uuid';
import type { FactRows } from '../state/facts.ts';
import type { StateStore } from '../state/state-store.ts';
import type { Ended } from './message-queue.ts';

/** Namespace of the ids of deliveries. Never change it: a delivery that is told again must have the id that it had. */
const DELIVERY_NAMESPACE = 'b868e060-83b0-43e1-a851-34ed228e4583';

/** Queues for the database how messages to the user ended, several in one transaction. One that is told again changes nothing. */
export function recordDeliveries({ file, outbox }: Pick<StateStore, 'file' | 'outbox'>, machineId: string): (ended: readonly Ended[]) => void {
  return (ended) => file.transaction(() => {
    for (const one of ended) outbox.add('notification', uuidV5(`${machineId}\n${one.channel}\n${one.id}`, DELIVERY_NAMESPACE), rowOf(one));
  });
}

/** A delivery as the database's `write_facts` takes it. Made of ids and codes alone: neither what was said, nor where it went, nor what a receiver answered is in it. Pure. */
export function rowOf({ channel, rule, at, outcome, attempts, problem, event }: Ended): FactRows['notification'] {
  return { at: new Date(at).toISOString(), channel, rule, attempts: Math.min(attempts, 1_000), ...(event && { about: aboutOf(event) }), ...endOf(outcome, attempts, problem) };
}

function endOf(outcome: Ended['outcome'], attempts: number, problem: string | null): Pick<FactRows['notification'], 'outcome' | 'code' | 'message'> {
  switch (outcome) {
    case 'sent': return { outcome: 'sent' };
    case 'refused': return { outcome: 'failed', code: stable(problem), message: problem === 'unreadable' ? 'It was queued by another version and could not be read.' : 'It was refused for good.' };
    case 'expired': return { outcome: 'dropped', code: 'stale', message: `It was no longer worth telling${attempts === 0 ? '.' : `; ${attempts} ${attempts === 1 ? 'attempt' : 'attempts'} had failed, the last with ${stable(problem)}.`}` };
    case 'limited': return { outcome: 'dropped', code: 'rule_limit', message: 'Its rule had given all messages that it may in an hour.' };
    case 'dropped': return { outcome: 'dropped', code: stable(problem), message: problem === 'channel_gone' ? 'Its channel is no more.' : 'Too many messages waited for its channel: the least important and oldest went.' };
  }
}

/** What it was about, by ids. */
function aboutOf(event: NotificationEvent): Readonly<Record<string, unknown>> {
  const { kind } = event;
  switch (kind) {
    case 'signal': return { kind, signal_id: event.signal.id, trader_id: event.signal.traderId };
    case 'decision': return { kind, signal_id: event.signalId, trader_id: event.traderId };
    case 'position': return { kind, trader_id: event.traderId, symbol: event.symbol, event: event.event };
    case 'trader': return { kind, trader_id: event.traderId, state: event.state };
    case 'health': return { kind, component: event.component, state: event.state };
    case 'test': return { kind };
  }
}

/** A code of the form that all codes have, whoever named it. */
function stable(code: string | null): string {
  const plain = (code ?? '').toLowerCase().replaceAll(/[^a-z0-9_]+/g, '_').replace(/^[^a-z]+/, '').slice(0, 64);
  return plain === '' ? 'unknown' : plain;
}
