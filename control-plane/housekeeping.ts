import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { AccountDatabase } from './database/account.ts';
import type { UserSecretStore } from './secrets/user-secrets.ts';

const EVERY_MS = 30_000;
const BUDGETS_AT_ONCE = 200;
const SECRETS_AT_ONCE = 100;

export interface Housekeeping {
  /** Ends what is under way and starts nothing more. */
  stop(): Promise<void>;
}

/**
 * What has to be looked at again and again and waits for nobody: budgets (warnings, and what their users chose), secrets under an old sealing key, answers that need not be kept any more. Every replica does it;
 * the database gives each piece to one of them.
 */
export function startHousekeeping(options: { account: Pick<AccountDatabase, 'checkBudgets' | 'sweep'>; secrets: Pick<UserSecretStore, 'resealSome'>; log: Logger; random: () => number; wake: () => void }): Housekeeping {
  const { account, secrets, log, random, wake } = options;
  const ended = new AbortController();
  const tasks: readonly (readonly [string, () => Promise<void>])[] = [
    ['budgets', async () => {
      const given = await account.checkBudgets(BUDGETS_AT_ONCE);
      for (const { user_id: user, percent, action } of given) log.info({ user, percent, action }, 'budget warning');
      if (given.some(({ percent, action }) => percent === 100 && action !== 'notify')) wake();
    }],
    ['secrets', async () => {
      const { done, failed } = await secrets.resealSome(SECRETS_AT_ONCE);
      if (done > 0) log.info({ done }, 'sealed anew with the current key');
      if (failed > 0) log.error({ failed }, 'secrets that no key here opens');
    }],
    ['answers', () => account.sweep()],
  ];

  async function run(): Promise<void> {
    while (!ended.signal.aborted) {
      for (const [task, work] of tasks) {
        if (ended.signal.aborted) return;
        await work().catch((error: unknown) => { if (!ended.signal.aborted) log.warn({ err: error, task }, 'housekeeping failed; it is tried again'); });
      }
      // replicas that started together do not stay together
      await sleep(EVERY_MS * (0.75 + random() / 2), undefined, { signal: ended.signal }).catch(() => undefined);
    }
  }
  const running = run();
  return { stop: () => { ended.abort(); return running; } };
}
