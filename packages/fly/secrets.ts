import { SecretsAnswer } from './shapes.ts';
import { path, type CallOptions, type Send } from './transport.ts';

/** An app's secrets: environment variables of its machines, read at boot (a change needs a restart). Values are write-only. */
export interface FlySecrets {
  /** Null unsets. `version` is what a machine may ask for with `minSecretsVersion`. */
  set(app: string, values: Record<string, string | null>, options?: CallOptions): Promise<SecretsAnswer>;
  list(app: string, options?: CallOptions): Promise<SecretsAnswer>;
}

export function createSecrets(send: Send): FlySecrets {
  return {
    set: async (app, values, options) => (await send({
      kind: 'write', doing: `set secrets of ${app}`, method: 'POST', path: path('apps', app, 'secrets'), body: { values }, parse: SecretsAnswer.parse, options,
    })).value,
    list: async (app, options) => (await send({
      kind: 'read', doing: `list secrets of ${app}`, method: 'GET', path: path('apps', app, 'secrets'), parse: SecretsAnswer.parse, options,
    })).value,
  };
}
