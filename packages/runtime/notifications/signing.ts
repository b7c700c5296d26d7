import { createHmac } from 'node:crypto';

/** Headers that sign a body as Standard Webhooks 1.0 says (standardwebhooks.com): HMAC-SHA256 over id, timestamp and body, joined by dots. The key is the secret's base64 behind `whsec_`. */
export function signed(id: string, epochMs: number, body: string, secret: string): Record<string, string> {
  const timestamp = String(Math.floor(epochMs / 1_000));
  const key = Buffer.from(secret.replace(/^whsec_/, ''), 'base64');
  const signature = createHmac('sha256', key).update(`${id}.${timestamp}.${body}`).digest('base64');
  return { 'webhook-id': id, 'webhook-timestamp': timestamp, 'webhook-signature': `v1,${signature}` };
}
