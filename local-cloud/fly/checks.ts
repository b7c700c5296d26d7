import { durationMs } from './duration.ts';
import type { Runtime } from './runtime.ts';
import type { CheckConfig, MachineRow } from './types.ts';

export interface CheckState { name: string; status: 'passing' | 'warning' | 'critical'; output: string; updated_at: string }

const FIRST_LOOK_MS = 250;

/** The http checks of running machines: asked at their interval, remembered only while the machine runs. */
export class Checks {
  readonly #runtime: Runtime;
  readonly #now: () => number;
  readonly #watched = new Map<string, { states: Map<string, CheckState>; timers: Map<string, NodeJS.Timeout>; stop: AbortController }>();

  constructor(runtime: Runtime, now: () => number) {
    this.#runtime = runtime;
    this.#now = now;
  }

  watch(machine: MachineRow): void {
    this.forget(machine.id);
    const { run } = machine;
    const checks = checksOf(machine);
    if (!run || checks.length === 0) return;
    const watched = { states: new Map<string, CheckState>(), timers: new Map<string, NodeJS.Timeout>(), stop: new AbortController() };
    this.#watched.set(machine.id, watched);
    for (const { name, check, internalPort } of checks) {
      const port = run.process ? this.#runtime.port(run, internalPort) : null;
      if (!run.process) {
        watched.states.set(name, this.#state(name, 'passing', 'simulated'));
        continue;
      }
      watched.states.set(name, this.#state(name, 'warning', 'waiting for the first answer'));
      const interval = Math.max(durationMs(check.interval) ?? 15_000, 1000);
      const lookIn = (ms: number) => { watched.timers.set(name, setTimeout(() => { void look(); }, ms)); };
      const look = async () => {
        const passed = await ask(port, check, watched.stop.signal);
        if (watched.stop.signal.aborted) return;
        watched.states.set(name, this.#state(name, passed.ok ? 'passing' : 'critical', passed.output));
        // until it passes for the first time it is asked more often: a boot is what people wait for
        lookIn(passed.ok ? interval : Math.min(interval, 1000));
      };
      lookIn(FIRST_LOOK_MS);
    }
  }

  #state(name: string, status: CheckState['status'], output: string): CheckState {
    return { name, status, output, updated_at: new Date(this.#now()).toISOString() };
  }

  forget(machineId: string): void {
    const watched = this.#watched.get(machineId);
    if (!watched) return;
    watched.stop.abort();
    for (const timer of watched.timers.values()) clearTimeout(timer);
    this.#watched.delete(machineId);
  }

  of(machineId: string): CheckState[] {
    return [...(this.#watched.get(machineId)?.states.values() ?? [])];
  }

  close(): void {
    for (const id of this.#watched.keys()) this.forget(id);
  }
}

function checksOf(machine: MachineRow): { name: string; check: CheckConfig; internalPort: number }[] {
  const { checks = {}, services = [] } = machine.config;
  const own = Object.entries(checks).map(([name, check]) => ({ name, check, internalPort: check.port ?? services[0]?.internal_port ?? 0 }));
  const ofServices = services.flatMap((service) => (service.checks ?? []).map((check, index) => ({
    name: `servicecheck-${String(index).padStart(2, '0')}-${check.type ?? 'tcp'}-${service.internal_port}`, check, internalPort: check.port ?? service.internal_port,
  })));
  return [...own, ...ofServices].filter(({ check }) => check.type === 'http');
}

async function ask(port: number | null, check: CheckConfig, stop: AbortSignal): Promise<{ ok: boolean; output: string }> {
  if (port === null) return { ok: false, output: 'no such port' };
  try {
    const timeout = AbortSignal.timeout(durationMs(check.timeout) ?? 5000);
    const response = await fetch(`http://127.0.0.1:${port}${check.path ?? '/'}`, { method: check.method ?? 'GET', signal: AbortSignal.any([timeout, stop]) });
    return { ok: response.ok, output: `${response.status} ${(await response.text()).slice(0, 200)}` };
  } catch (error) {
    const cause = (error as { cause?: { code?: string } }).cause?.code;
    return { ok: false, output: cause ?? (error as Error).message };
  }
}
