import { TradeMindError } from '@trademind/core';

export interface DashboardConfig { supabaseUrl: string; publishableKey: string; controlPlaneUrl: string }

/** The public values that the page's server gives. Throws TradeMindError or the network's error. */
export async function loadConfig(call: typeof fetch = fetch): Promise<DashboardConfig> {
  const answer = await call('/config.json');
  const { supabaseUrl, publishableKey, controlPlaneUrl } = (await answer.json()) as Partial<Record<keyof DashboardConfig, unknown>>;
  if (typeof supabaseUrl !== 'string' || typeof publishableKey !== 'string' || typeof controlPlaneUrl !== 'string') {
    throw new TradeMindError({ code: 'config_invalid', message: 'The page’s configuration is incomplete.' });
  }
  return { supabaseUrl, publishableKey, controlPlaneUrl };
}

/** True when the services run on the reader's own machine, where `npx trademind open` is at hand. */
export function isLocal({ supabaseUrl }: DashboardConfig): boolean {
  return /^(?:127\.\d+\.\d+\.\d+|localhost|\[::1\])$/.test(new URL(supabaseUrl).hostname);
}
