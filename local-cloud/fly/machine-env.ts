import { dirname } from 'node:path';
import type { BootContext } from './runtime.ts';
import type { MachineRow } from './types.ts';

export interface Folders { root: string; volume: (id: string) => string }

/** What a process of a machine finds in its environment: this and nothing of the stand-in's own. */
export function machineEnv(
  machine: MachineRow, context: BootContext, folders: Folders, ports: Readonly<Record<string, number>>, extra: Readonly<Record<string, string>> = {},
): Record<string, string> {
  const { config } = machine;
  const servicePort = config.services?.[0]?.internal_port;
  const loopback = (internal: number | undefined) => (internal === undefined ? undefined : ports[String(internal)]);
  const [port, metricsPort] = [loopback(servicePort), loopback(config.metrics?.port)];
  return {
    ...extra,
    ...withMounts({ ...config.env, ...context.secrets }, machine, folders),
    FLY_APP_NAME: context.appName,
    FLY_MACHINE_ID: machine.id,
    FLY_REGION: machine.region,
    FLY_MACHINE_VERSION: machine.instanceId,
    FLY_PRIVATE_IP: machine.privateIp,
    FLY_IMAGE_REF: config.image,
    HOME: folders.root,
    TMPDIR: `${folders.root}/tmp`,
    PATH: dirname(process.execPath),
    HOST: '127.0.0.1',
    METRICS_HOST: '127.0.0.1',
    ...(port === undefined ? {} : { PORT: String(port) }),
    ...(metricsPort === undefined ? {} : { METRICS_PORT: String(metricsPort) }),
  };
}

/** A process has no mounts of its own: a value that names a path in a mount is made to name the volume's folder instead. */
function withMounts(env: Record<string, string>, machine: MachineRow, folders: Folders): Record<string, string> {
  return Object.fromEntries(Object.entries(env).map(([key, value]) => {
    const mount = machine.config.mounts?.find(({ path }) => value === path || value.startsWith(`${path}/`));
    return [key, mount ? folders.volume(mount.volume) + value.slice(mount.path.length) : value];
  }));
}
