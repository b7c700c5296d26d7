import type { MachineConfig } from './shapes.ts';

/** What differs between one machine and another. */
export interface MachinePlan {
  /** Pinned by digest: `registry/name@sha256:…`. A moving tag is refused. */
  image: string;
  env: Readonly<Record<string, string>>;
  guest: { cpuKind: 'shared' | 'performance'; cpus: number; memoryMb: number };
  /** The volume that holds `/data`. */
  volumeId: string;
  metadata: Readonly<Record<string, string>>;
}

/** Where the machine keeps what must survive a restart. */
export const DATA_PATH = '/data';
/** Public: health, the API with a session, the feed. */
export const SERVICE_PORT = 8080;
/** Private, scraped by Fly. */
export const METRICS_PORT = 9091;

/**
 * The configuration of a user's machine, always sent whole and read back. Pure: equal plans give equal configurations.
 * @throws RangeError when the image is not pinned by digest.
 */
export function machineConfig(plan: MachinePlan): MachineConfig {
  if (!/@sha256:[0-9a-f]{64}$/.test(plan.image)) throw new RangeError(`The image ${plan.image} is not pinned by digest (name@sha256:…).`);
  return {
    image: plan.image,
    env: { ...plan.env },
    guest: { cpu_kind: plan.guest.cpuKind, cpus: plan.guest.cpus, memory_mb: plan.guest.memoryMb },
    mounts: [{ volume: plan.volumeId, path: DATA_PATH }],
    services: [{
      protocol: 'tcp',
      internal_port: SERVICE_PORT,
      ports: [
        { port: 443, handlers: ['tls', 'http'] },
        { port: 80, handlers: ['http'], force_https: true },
      ],
      // a screener works while nobody looks, and a visitor must not wake a machine that was stopped to save money
      autostop: 'off',
      autostart: false,
      min_machines_running: 0,
      concurrency: { type: 'connections', soft_limit: 200, hard_limit: 300 },
    }],
    checks: { health: { type: 'http', port: SERVICE_PORT, method: 'GET', path: '/health', interval: '15s', timeout: '5s', grace_period: '20s' } },
    metrics: { port: METRICS_PORT, path: '/metrics' },
    restart: { policy: 'always' },
    // long enough to drain the outbox; Fly's own default is SIGINT and a few seconds
    stop_config: { signal: 'SIGTERM', timeout: '30s' },
    auto_destroy: false,
    metadata: { ...plan.metadata },
  };
}
