import { HEALTH_STATES, type NotificationEvent, type NotificationRule } from '@trademind/core';

/** Whether a rule wants an event to be told. Pure. */
export function ruleWants(rule: NotificationRule, event: NotificationEvent): boolean {
  switch (event.kind) {
    case 'signal': {
      const { signal } = event;
      // History, what a trader's own limits hold back, and what is still under way are nobody's news.
      return rule.on === 'signal' && signal.origin === 'live' && signal.phase === 'closed' && signal.suppressed === undefined
        && among(rule.traders, signal.traderId) && among(rule.symbols, signal.symbol) && among(rule.sides, signal.side);
    }
    case 'decision': return rule.on === 'decision' && among(rule.traders, event.traderId) && among(rule.symbols, event.symbol) && among(rule.decisions, event.decision) && event.confidence >= (rule.minConfidence ?? 0);
    case 'position': return rule.on === 'position' && among(rule.traders, event.traderId) && among(rule.symbols, event.symbol) && among(rule.events, event.event);
    case 'trader': return rule.on === 'trader' && among(rule.traders, event.traderId) && among(rule.states, event.state);
    case 'health': {
      if (rule.on !== 'health' || !among(rule.components, event.component)) return false;
      const from = HEALTH_STATES.indexOf(rule.from ?? 'degraded');
      // Who was told that something began is told that it is over.
      return HEALTH_STATES.indexOf(event.state) >= from || HEALTH_STATES.indexOf(event.before) >= from;
    }
    case 'test': return false;
  }
}

const among = <T>(wanted: readonly T[] | undefined, value: T): boolean => wanted === undefined || wanted.includes(value);
