import type { FlyClient } from '@trademind/fly';

/**
 * The client of Fly as the providers use it. Pulumi turns providers into text and runs them in another process: so everything they need
 * is loaded here when they run, from globals, and no import of this file is captured. FLY_API_TOKEN is the token of whoever applies the
 * stack; it stays out of the stack's state.
 */
export function flyFromEnvironment(): FlyClient {
  const load = process.getBuiltinModule('node:module').createRequire(`${process.cwd()}/`);
  const { createFlyClient } = load('@trademind/fly') as { createFlyClient: (options: { baseUrl: string; token: string }) => FlyClient };
  const token = process.env['FLY_API_TOKEN'];
  if (!token) throw new Error('FLY_API_TOKEN is missing: set it to a Fly token of the organisation that holds the control plane.');
  return createFlyClient({ baseUrl: process.env['FLY_API_URL'] ?? 'https://api.machines.dev/v1', token });
}
