import { dynamic, type CustomResourceOptions, type Input, type Output } from '@pulumi/pulumi';
import { flyFromEnvironment } from './fly-client.ts';

interface AppInputs { name: string; org: string }

/** Makes, adopts and deletes an app with its public addresses (shared v4 and v6 cost nothing). */
export const appProvider: dynamic.ResourceProvider<AppInputs, AppInputs> = {
  async create(inputs) {
    const fly = flyFromEnvironment();
    try {
      await fly.apps.create({ name: inputs.name, orgSlug: inputs.org });
    } catch (error) {
      // an earlier apply made it, and its answer was lost; an app of somebody else cannot be read
      if ((error as { code?: string }).code !== 'fly_already_exists') throw error;
      await fly.apps.get(inputs.name);
    }
    const there = await fly.ipAssignments.list(inputs.name);
    const isV6 = (ip: string) => ip.includes(':');
    if (!there.some((one) => !isV6(one.ip))) await fly.ipAssignments.create(inputs.name, { type: 'shared_v4' });
    if (!there.some((one) => isV6(one.ip))) await fly.ipAssignments.create(inputs.name, { type: 'v6' });
    return { id: inputs.name, outs: inputs };
  },
  diff: (_id, olds, news) => {
    const replaces = (['name', 'org'] as const).filter((key) => olds[key] !== news[key]);
    return Promise.resolve({ changes: replaces.length > 0, replaces });
  },
  async delete(id) {
    try {
      await flyFromEnvironment().apps.delete(id, { force: true });
    } catch (error) {
      if ((error as { code?: string }).code !== 'fly_not_found') throw error;
    }
  },
};

/** An app at Fly. */
export class FlyApp extends dynamic.Resource {
  declare readonly name: Output<string>;
  constructor(name: string, args: { name: Input<string>; org: Input<string> }, options?: CustomResourceOptions) {
    super(appProvider, name, args, options, 'fly', 'App');
  }
}

interface SecretsInputs { app: string; values: Record<string, string> }
interface SecretsOutputs extends SecretsInputs { version: number }

/** Sets an app's secrets. Their `version` changes with them: a machine that names it restarts on the new ones. */
export const secretsProvider: dynamic.ResourceProvider<SecretsInputs, SecretsOutputs> = {
  async create(inputs) {
    const { version = 0 } = await flyFromEnvironment().secrets.set(inputs.app, inputs.values);
    return { id: `${inputs.app}/secrets`, outs: { ...inputs, version } };
  },
  diff: (_id, olds, news) => Promise.resolve({ changes: JSON.stringify(olds.values) !== JSON.stringify(news.values), replaces: olds.app === news.app ? [] : ['app'] }),
  async update(_id, olds, news) {
    const gone = Object.fromEntries(Object.keys(olds.values).filter((name) => !(name in news.values)).map((name) => [name, null]));
    const { version = 0 } = await flyFromEnvironment().secrets.set(news.app, { ...gone, ...news.values });
    return { outs: { ...news, version } };
  },
  // they go with their app
  delete: () => Promise.resolve(),
};

/** Secrets of an app: environment variables of its machines, write-only at Fly. */
export class FlySecrets extends dynamic.Resource {
  declare readonly version: Output<number>;
  constructor(name: string, args: { app: Input<string>; values: Input<Record<string, Input<string>>> }, options?: CustomResourceOptions) {
    super(secretsProvider, name, { ...args, version: undefined }, { ...options, additionalSecretOutputs: ['values'] }, 'fly', 'Secrets');
  }
}
