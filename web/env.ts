import { TradeMindError } from '@trademind/core';

export interface DashboardEnv {
  port: number;
  host: string;
  supabaseUrl: string;
  publishableKey: string;
  controlPlaneUrl: string;
  /** Origins of machines that the page may talk to, http and ws alike; `*` may stand for a part of a host name or for a port. */
  machineOrigins: string[];
}

const ORIGIN = /^(?:https?|wss?):\/\/(?:\*\.)?[a-z0-9.-]+(?::(?:\d{1,5}|\*))?$/i;

/**
 * Reads the dashboard's environment: PORT, HOST, DASHBOARD_SUPABASE_URL, DASHBOARD_PUBLISHABLE_KEY, DASHBOARD_CONTROL_PLANE_URL, MACHINE_ORIGINS.
 * Where one environment serves several programs, SUPABASE_URL, SUPABASE_PUBLISHABLE_KEY, CONTROL_PLANE_URL and FEED_ORIGIN are taken in their place.
 * Throws one TradeMindError (`env_invalid`) that lists everything that is wrong.
 */
export function readEnv(env: Readonly<Record<string, string | undefined>>): DashboardEnv {
  const wrong: string[] = [];
  const url = (name: string): string => {
    const value = env[name] ?? env[name.replace('DASHBOARD_', '')] ?? '';
    if (URL.canParse(value) && /^https?:/.test(value)) return value.replace(/\/+$/, '');
    wrong.push(`${name} must be an http(s) URL`);
    return '';
  };
  const port = Number(env['PORT'] ?? 4270);
  if (!Number.isInteger(port) || port < 0 || port > 65_535) wrong.push('PORT must be a port number');
  const publishableKey = env['DASHBOARD_PUBLISHABLE_KEY'] ?? env['SUPABASE_PUBLISHABLE_KEY'] ?? '';
  if (publishableKey === '') wrong.push('DASHBOARD_PUBLISHABLE_KEY is missing');
  if (publishableKey.startsWith('sb_secret_')) wrong.push('DASHBOARD_PUBLISHABLE_KEY is a secret key: it would be given to every browser');
  const machineOrigins = (env['MACHINE_ORIGINS'] ?? env['FEED_ORIGIN'] ?? '').split(/[\s,]+/).filter((origin) => origin !== '');
  // The list goes into a security header, so nothing but origins may stand in it.
  for (const origin of machineOrigins) if (!ORIGIN.test(origin)) wrong.push(`MACHINE_ORIGINS: "${origin}" is not an origin such as https://*.fly.dev`);
  const read = { port, host: env['HOST'] ?? '127.0.0.1', supabaseUrl: url('DASHBOARD_SUPABASE_URL'), publishableKey, controlPlaneUrl: url('DASHBOARD_CONTROL_PLANE_URL'), machineOrigins };
  if (wrong.length > 0) throw new TradeMindError({ code: 'env_invalid', message: `The dashboard cannot start: ${wrong.join('; ')}.`, nextStep: 'Set them and start again; see web/README.md.' });
  return read;
}
