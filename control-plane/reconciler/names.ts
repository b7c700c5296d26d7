import { createHmac } from 'node:crypto';

/**
 * Names that follow from what they name, so that what a lost answer left behind is found again. A Fly app's name is global and public:
 * it comes from a keyed hash, so that nobody can guess it, squat it, or read a user's id from it.
 */
export function appName(key: string, userId: string, environment: string): string {
  return `tm-${createHmac('sha256', key).update(`${userId}\n${environment}`).digest('hex').slice(0, 16)}`;
}

/**
 * A machine's region cannot change, all else can: so the region is in its name, with the number of its placement, which rises only when it moves or is
 * replaced, never with an ordinary wish. So a create that is repeated meets Fly's rule that names are unique within an app, and a
 * replacement never meets the name of a machine that Fly cannot get rid of.
 */
export function machineName(app: string, region: string, placement = 1): string {
  return placement <= 1 ? `${app}-${region}` : `${app}-${region}-${placement}`;
}

/** The volume that holds `/data`. Fly does not keep volume names unique: duplicates are found by this name. */
export const VOLUME_NAME = 'data';
export const VOLUME_SIZE_GB = 1;
/** The only Fly secret of a machine. */
export const SECRET_NAME = 'MACHINE_SECRET';
/** Metadata on every machine we make: whose row it is, and the hash of the configuration it was last given. */
export const META_MACHINE = 'trademind_machine';
export const META_CONFIG = 'trademind_config';
/** How often a restart was wished, and which secret it was started with: a change of either is a change of the configuration. */
export const META_RESTART = 'trademind_restart';
export const META_SECRET = 'trademind_secret';
/** Addresses of an app: both cost nothing. */
export const IP_TYPES = ['shared_v4', 'v6'] as const;

export function machineUrl(template: string, app: string): string {
  return template.replace('{app}', app).replace(/\/+$/, '');
}
