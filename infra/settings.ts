import { REGIONS, US_REGIONS } from '@trademind/core';
import { Config, getStack, type Output } from '@pulumi/pulumi';

/** What an environment (a stack) is told: `pulumi config set [--secret] <key> <value>`. */
export interface InfraSettings {
  /** The stack's name: `production`, `staging`, … */
  environment: string;
  org: string;
  userOrg: string;
  region: string;
  replicas: number;
  registry: string;
  allowedOrigins: string;
  supabaseUrl: string;
  supabasePublishableKey: string;
  secrets: Record<'SUPABASE_SECRET_KEY' | 'FLY_API_TOKEN' | 'MACHINE_TOKEN_JWK' | 'TICKET_JWK' | 'APP_NAME_KEY' | 'SEALING_KEYS', Output<string>> & { GEMINI_API_KEY?: Output<string> };
}

/** Reads and checks the stack's configuration; throws one error that names the key and what to do. */
export function readInfraSettings(): InfraSettings {
  const config = new Config();
  const environment = getStack();
  if (!/^[a-z][a-z0-9-]{0,19}$/.test(environment)) throw new Error(`The stack's name "${environment}" becomes part of names at Fly: use lower-case letters, digits and dashes, at most 20.`);
  const region = config.get('region') ?? 'sin';
  if (!REGIONS.includes(region)) throw new Error(`trademind:region "${region}" is not a region of Fly that we know: choose one of ${REGIONS.join(', ')}.`);
  // the control plane probes machines that talk to the exchange; beside them it is closest
  if (US_REGIONS.includes(region)) throw new Error(`trademind:region "${region}": users' machines never run in the United States (Binance answers HTTP 451 there); run the control plane near them.`);
  const replicas = config.getNumber('replicas') ?? 2;
  if (!Number.isInteger(replicas) || replicas < 1 || replicas > 20) throw new Error('trademind:replicas must be a whole number from 1 to 20.');
  return {
    environment, region, replicas,
    org: config.require('org'),
    userOrg: config.require('userOrg'),
    registry: config.get('registry') ?? 'registry.fly.io',
    allowedOrigins: config.require('allowedOrigins'),
    supabaseUrl: config.require('supabaseUrl'),
    supabasePublishableKey: config.require('supabasePublishableKey'),
    secrets: {
      SUPABASE_SECRET_KEY: config.requireSecret('supabaseSecretKey'),
      FLY_API_TOKEN: config.requireSecret('userFlyToken'),
      MACHINE_TOKEN_JWK: config.requireSecret('machineTokenJwk'),
      TICKET_JWK: config.requireSecret('ticketJwk'),
      APP_NAME_KEY: config.requireSecret('appNameKey'),
      SEALING_KEYS: config.requireSecret('sealingKeys'),
      ...(config.get('geminiApiKey') === undefined ? {} : { GEMINI_API_KEY: config.requireSecret('geminiApiKey') }),
    },
  };
}
