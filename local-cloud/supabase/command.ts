import { join, resolve } from 'node:path';
import { Command, InvalidArgumentError } from 'commander';
import { prepareDatabase } from '../postgres/migrate.ts';
import { startPostgres } from '../postgres/start.ts';
import { runStandIn } from '../shared/run.ts';
import { keepKeys } from './keys.ts';
import { startSupabase } from './start.ts';

interface Options { port: number; token?: string; data: string; origin: string[]; site?: string; confirmEmail?: boolean }

function parsePort(text: string): number {
  const port = Number(text);
  if (!Number.isInteger(port) || port < 0 || port > 65_535) throw new InvalidArgumentError('a port is a number from 0 to 65535');
  return port;
}

/** `supabase`: the gateway alone, with a PostgreSQL and migrations of its own. Prints where the keys are, not the keys. */
export function supabaseCommand(): Command {
  return new Command('supabase')
    .description('Supabase: Auth and PostgREST over a real PostgreSQL with the repository\'s migrations.')
    .option('--port <n>', 'port to listen on; 0 takes a free one', parsePort, 54_321)
    .option('--token <secret>', 'the secret key (better: SUPABASE_SECRET_KEY in the environment; without either the one in the keys file)')
    .option('--data <dir>', 'folder for database and keys', join('.trademind', 'supabase'))
    .option('--origin <origin>', 'browser origin that may call; repeatable', (origin: string, all: string[]) => [...all, origin], [])
    .option('--site <url>', 'where the links of mails lead when a request names no other allowed place')
    .option('--confirm-email', 'a new account must confirm its address by mail before it can sign in')
    .action(async (options: Options) => {
      await runStandIn(async () => {
        const dataDir = resolve(options.data);
        const keysFile = join(dataDir, 'keys.json');
        const postgres = await startPostgres({ dataDir, port: 0 });
        try {
          const migrations = await prepareDatabase(postgres.url);
          const keys = await keepKeys(keysFile);
          const secretKey = options.token ?? process.env['SUPABASE_SECRET_KEY'] ?? keys.secretKey;
          const gateway = await startSupabase({ ...keys, secretKey, port: options.port, postgresUrl: postgres.url, allowedOrigins: options.origin, siteUrl: options.site, autoconfirm: options.confirmEmail !== true });
          const close = async () => {
            await gateway.close();
            await postgres.close();
          };
          return { name: 'supabase', url: gateway.url, port: gateway.port, mail: `${gateway.url}/mail`, keys: keysFile, postgresPort: postgres.port, migrations: migrations.length, close };
        } catch (error) {
          await postgres.close();
          throw error;
        }
      });
    });
}
