import type { Io } from '../io.ts';
import { DEMO_EMAIL } from '../services/demo-user.ts';
import { magicLink } from '../services/gateway.ts';
import { findLocalCloud } from '../services/local-cloud.ts';
import { EXIT } from '../exit-codes.ts';

/** `trademind open`: a link that signs its reader in once. */
export async function open(options: { data?: string; json?: boolean }, io: Io): Promise<number> {
  const { gateway, secrets, urls } = findLocalCloud(options.data, io);
  const link = magicLink(urls.dashboard, await gateway.magicToken(secrets.secretKey, DEMO_EMAIL));
  io.stdout(options.json ? `${JSON.stringify({ link })}\n` : `${link}\n`);
  return EXIT.ok;
}
