import { dynamic, type CustomResourceOptions, type Input, type Output } from '@pulumi/pulumi';
import { awaitServing } from './await-serving.ts';
import { flyFromEnvironment } from './fly-client.ts';

interface MachineInputs { app: string; name: string; region: string; image: string; env: Record<string, string>; cpuKind: string; cpus: number; memoryMb: number; secretsVersion: number }
interface MachineOutputs extends MachineInputs { machineId: string }

/** The whole configuration of a replica; an update at Fly replaces all of it. */
export function replicaConfig(inputs: Pick<MachineInputs, 'image' | 'env' | 'cpuKind' | 'cpus' | 'memoryMb'>) {
  return {
    image: inputs.image,
    env: inputs.env,
    guest: { cpu_kind: inputs.cpuKind, cpus: inputs.cpus, memory_mb: inputs.memoryMb },
    services: [{
      protocol: 'tcp', internal_port: 8080,
      ports: [{ port: 443, handlers: ['tls', 'http'] }, { port: 80, handlers: ['http'], force_https: true }],
      // the reconciler works while nobody calls
      autostop: 'off', autostart: false, min_machines_running: 0,
      concurrency: { type: 'requests', soft_limit: 200, hard_limit: 400 },
      checks: [{ type: 'http', port: 8080, method: 'GET', path: '/healthz', interval: '15s', timeout: '5s', grace_period: '15s' }],
    }],
    metrics: { port: 9091, path: '/metrics' },
    restart: { policy: 'always' },
    stop_config: { signal: 'SIGTERM', timeout: '15s' },
    auto_destroy: false,
  };
}

/** Makes, adopts, updates and destroys one machine; made or changed is one that serves. A machine's app, name and region cannot change: another one takes its place. */
export const machineProvider: dynamic.ResourceProvider<MachineInputs, MachineOutputs> = {
  async create(inputs) {
    const fly = flyFromEnvironment();
    const config = replicaConfig(inputs);
    try {
      const made = await fly.machines.create(inputs.app, { name: inputs.name, region: inputs.region, config, minSecretsVersion: inputs.secretsVersion });
      await awaitServing(fly, inputs.app, made.id, undefined);
      return { id: made.id, outs: { ...inputs, machineId: made.id } };
    } catch (error) {
      // an earlier apply made it, and its answer was lost: it is given today's configuration
      if ((error as { code?: string }).code !== 'fly_already_exists') throw error;
      const there = (await fly.machines.list(inputs.app)).find((one) => one.name === inputs.name);
      if (there === undefined) throw error;
      const updated = await fly.machines.update(inputs.app, there.id, { config, skipLaunch: false, minSecretsVersion: inputs.secretsVersion });
      await awaitServing(fly, inputs.app, there.id, updated.instance_id ?? undefined);
      return { id: there.id, outs: { ...inputs, machineId: there.id } };
    }
  },
  diff: (_id, olds, news) => {
    const of = ({ app, name, region, image, env, cpuKind, cpus, memoryMb, secretsVersion }: MachineInputs) => JSON.stringify([app, name, region, image, env, cpuKind, cpus, memoryMb, secretsVersion]);
    const replaces = (['app', 'name', 'region'] as const).filter((key) => olds[key] !== news[key]);
    return Promise.resolve({ changes: of(olds) !== of(news), replaces, deleteBeforeReplace: olds.name === news.name });
  },
  async update(id, _olds, news) {
    const fly = flyFromEnvironment();
    const updated = await fly.machines.update(news.app, id, { config: replicaConfig(news), skipLaunch: false, minSecretsVersion: news.secretsVersion });
    await awaitServing(fly, news.app, id, updated.instance_id ?? undefined);
    return { outs: { ...news, machineId: id } };
  },
  async delete(id, props) {
    try {
      await flyFromEnvironment().machines.destroy(props.app, id, { force: true });
    } catch (error) {
      if ((error as { code?: string }).code !== 'fly_not_found') throw error;
    }
  },
};

/** One machine at Fly. */
export class FlyMachine extends dynamic.Resource {
  declare readonly machineId: Output<string>;
  constructor(name: string, args: { [Key in Exclude<keyof MachineInputs, 'env'>]: Input<MachineInputs[Key]> } & { env: Input<Record<string, Input<string>>> }, options?: CustomResourceOptions) {
    super(machineProvider, name, { ...args, machineId: undefined }, options, 'fly', 'Machine');
  }
}
