import { parseWith } from '@trademind/core';
import * as z from 'zod/mini';

const DashboardConfig = z.object({ supabaseUrl: z.string(), publishableKey: z.string(), controlPlaneUrl: z.string() });
export type DashboardConfig = z.infer<typeof DashboardConfig>;

/** The public values that the page's server gives. Throws TradeMindError or the network's error. */
export async function loadConfig(call: typeof fetch = fetch): Promise<DashboardConfig> {
  const answer = await call('/config.json');
  return parseWith(DashboardConfig, await answer.json(), 'config_invalid', 'config.json');
}

/** True when the services run on the reader's own machine, where `npx trademind open` is at hand. */
export function isLocal({ supabaseUrl }: DashboardConfig): boolean {
  return /^(?:127\.\d+\.\d+\.\d+|localhost|\[::1\])$/.test(new URL(supabaseUrl).hostname);
}
