import { createHmac } from 'node:crypto';

/**
 * The URL with which the gateway's REST side connects: as `authenticator`, a role that can do nothing until it becomes one of the API
 * roles. Its password follows from the superuser's, so that one secret is enough.
 */
export function authenticatorUrl(superuserUrl: string): string {
  const url = new URL(superuserUrl);
  url.password = authenticatorPassword(superuserUrl);
  url.username = 'authenticator';
  return url.href;
}

export function authenticatorPassword(superuserUrl: string): string {
  return createHmac('sha256', decodeURIComponent(new URL(superuserUrl).password)).update('trademind authenticator').digest('hex');
}
