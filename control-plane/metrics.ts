import { Counter, Gauge, Histogram, Registry, collectDefaultMetrics } from 'prom-client';
import type { FleetFigures } from './database/fleet-figures.ts';
import { registerFleetMetrics, type FleetMetrics } from './fleet-metrics.ts';

/** What the control plane counts of itself. */
export interface Metrics extends FleetMetrics {
  registry: Registry;
  answered(method: string, route: string, status: number, seconds: number): void;
  looked(outcome: string, ms: number): void;
  /** A fetch whose calls of the database's functions are counted and timed. */
  timed(call: typeof fetch): typeof fetch;
}

/** @param options how the reconciler of this replica fares now, and where the fleet's figures come from */
export function createMetrics(options: { lastClaimAgeSeconds: () => number; underWay: () => number; fleetFigures: () => Promise<FleetFigures>; now: () => number }): Metrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const requests = new Histogram({
    name: 'trademind_http_request_seconds', help: 'Time to answer a request.', labelNames: ['method', 'route', 'status'], buckets: [0.005, 0.02, 0.05, 0.1, 0.3, 1, 3], registers: [registry],
  });
  const looks = new Counter({ name: 'trademind_looks_total', help: 'Looks at machines by how they ended.', labelNames: ['outcome'], registers: [registry] });
  const lookSeconds = new Histogram({ name: 'trademind_look_seconds', help: 'Time of one look at one machine.', buckets: [0.01, 0.05, 0.1, 0.5, 1, 5, 15], registers: [registry] });
  const calls = new Histogram({
    name: 'trademind_database_call_seconds', help: 'Time until a function of the database answers.', labelNames: ['function'], buckets: [0.002, 0.005, 0.01, 0.03, 0.1, 0.5, 2], registers: [registry],
  });
  const age = new Gauge({ name: 'trademind_last_claim_age_seconds', help: 'Time since machines were last claimed without an error; a replica with no free place has claimed all it can.', registers: [], collect() { this.set(options.lastClaimAgeSeconds()); } });
  const underWay = new Gauge({ name: 'trademind_looks_under_way', help: 'Looks at machines that this replica is at now.', registers: [], collect() { this.set(options.underWay()); } });
  registry.registerMetric(age);
  registry.registerMetric(underWay);
  return {
    registry,
    ...registerFleetMetrics(registry, options.fleetFigures, options.now),
    answered: (method, route, status, seconds) => requests.observe({ method, route, status: String(status) }, seconds),
    looked: (outcome, ms) => { looks.inc({ outcome }); lookSeconds.observe(ms / 1_000); },
    timed: (call) => async (input, init) => {
      const name = /\/rest\/v1\/rpc\/(\w+)$/.exec(input instanceof Request ? input.url : String(input))?.[1];
      if (name === undefined) return call(input, init);
      const end = calls.startTimer({ function: name });
      return call(input, init).finally(end);
    },
  };
}
