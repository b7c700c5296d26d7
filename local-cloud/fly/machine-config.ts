import { ApiError, invalid } from './api-error.ts';
import { durationMs } from './duration.ts';
import type { MachineConfig } from './types.ts';

const SIZES: Record<string, { cpus: readonly number[]; mbPerCpu: readonly [number, number] }> = {
  shared: { cpus: [1, 2, 4, 6, 8], mbPerCpu: [256, 2048] },
  performance: { cpus: [1, 2, 4, 6, 8, 10, 12, 14, 16], mbPerCpu: [2048, 8192] },
};

const refuse = (why: string) => new ApiError(400, `invalid_argument: invalid guest: ${why}`);

function checkGuest(guest: { cpu_kind: string; cpus: number; memory_mb: number }): void {
  const rule = SIZES[guest.cpu_kind];
  if (!rule) throw refuse(`unknown cpu_kind ${JSON.stringify(guest.cpu_kind)}`);
  if (!rule.cpus.includes(guest.cpus)) throw refuse(`${guest.cpu_kind} cannot have ${guest.cpus} cpus`);
  const [low, high] = [rule.mbPerCpu[0] * guest.cpus, rule.mbPerCpu[1] * guest.cpus];
  if (guest.memory_mb < low || guest.memory_mb > high || guest.memory_mb % 256 !== 0) throw refuse(`memory_mb ${guest.memory_mb} is not in ${low} to ${high} in steps of 256`);
}

const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value);
const allStrings = (value: unknown): boolean => isRecord(value) && Object.values(value).every((one) => typeof one === 'string');
const isPort = (value: unknown): boolean => Number.isInteger(value) && (value as number) > 0 && (value as number) < 65_536;

/** Checks a configuration and answers it as Fly shows it: with defaults, `autostop` as a boolean where Fly makes it one. Throws 400 or 422. */
export function acceptConfig(given: unknown): MachineConfig {
  if (!isRecord(given)) throw new ApiError(400, 'invalid_argument: config is required');
  const config = structuredClone(given) as MachineConfig;
  if (typeof config.image !== 'string' || config.image === '') throw invalid('config.image is required');
  for (const key of ['env', 'metadata'] as const) if (config[key] != null && !allStrings(config[key])) throw invalid(`config.${key} must map names to strings`);
  config.guest = { cpu_kind: 'shared', cpus: 1, memory_mb: 256, ...config.guest };
  checkGuest(config.guest);

  for (const mount of config.mounts ?? []) {
    if (typeof mount?.volume !== 'string' || typeof mount.path !== 'string' || !mount.path.startsWith('/')) throw invalid('config.mounts need a volume and an absolute path');
  }
  if ((config.mounts?.length ?? 0) > 1) throw new ApiError(400, 'invalid_argument: a machine takes one volume');
  for (const service of config.services ?? []) {
    if (!isPort(service?.internal_port)) throw invalid('config.services[].internal_port must be a port');
    if (service['autostop'] === 'off') service['autostop'] = false;
    if (service['autostop'] === 'stop') service['autostop'] = true;
  }
  if (config.metrics != null && !isPort(config.metrics.port)) throw invalid('config.metrics.port must be a port');
  const policy = config.restart?.policy;
  if (policy !== undefined && !['no', 'always', 'on-failure'].includes(policy)) throw invalid(`unknown restart policy ${JSON.stringify(policy)}`);
  const timeout = config.stop_config?.timeout;
  if (timeout != null && durationMs(timeout) === null) throw invalid('config.stop_config.timeout is not a duration');
  config['init'] ??= {};
  return config;
}
