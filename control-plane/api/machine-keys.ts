import { AnalysisCaps, MachineKeys } from '@trademind/core';
import { settingOf } from '../database/secrets.ts';
import { modelsOn } from '../money/gemini-call.ts';
import { callingMachine } from './machine-auth.ts';
import type { ApiContext } from './context.ts';
import type { Api } from './schema.ts';

/** A machine fetches what its user entrusted to us. */
export function machineKeyRoutes(api: Api, { machines, signer, secrets, plans, gemini, controlPlaneUrl, now }: ApiContext): void {
  api.route({
    method: 'GET',
    url: '/v1/machine/keys',
    schema: {
      tags: ['machine'], security: [{ machine: [] }], summary: 'The keys of the machine\'s user',
      description: 'To be held in memory only. Fetch them at boot and whenever `keys_version` or `settings_version` of the beat is above the one answered here.', response: { 200: MachineKeys },
    },
    handler: async (request, reply): Promise<MachineKeys> => {
      const { user_id: userId } = await callingMachine(request, machines, signer);
      const [stored, plan] = await Promise.all([secrets.stored(userId), plans.of(userId)]);
      void reply.header('cache-control', 'no-store');
      const own = secrets.opened(userId, stored, 'gemini');
      const platform = gemini !== null && plan.analyses_per_day > 0 ? {
        source: 'platform' as const, baseUrl: `${controlPlaneUrl()}/v1/machine/gemini`, models: modelsOn(new Date(now()).toISOString().slice(0, 10)),
        limits: { concurrency: plan.analyses_at_once, callsPerMinute: Math.min(plan.analyses_per_minute, gemini.callsPerMinute), callsPerDay: plan.analyses_per_day, usdPerDay: plan.analyses_nano_usd_per_day / 1e9 },
      } : null;
      return {
        keysVersion: stored.keys_version, settingsVersion: stored.settings_version,
        binance: secrets.opened(userId, stored, 'binance'),
        gemini: own === null ? platform : { source: 'user', apiKey: own.apiKey },
        analysis: settingOf(AnalysisCaps, stored.settings['analysis']),
        notifications: secrets.opened(userId, stored, 'notifications'),
      };
    },
  });
}
