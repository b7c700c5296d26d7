import { expect, test } from 'vitest';
import { runCommand } from '../testing/run-command.ts';

test('what is no cap is refused by its name before anybody is asked', async () => {
  for (const [field, args] of Object.entries({ usdPerDay: ['--usd-per-day', 'much'], tokensPerDay: ['--tokens-per-day', '1.5'] })) {
    const { code, stdout } = await runCommand(['caps', ...args, '--json']);
    expect([code, JSON.parse(stdout)]).toMatchObject([2, { error: { code: 'usage', field } }]);
  }
  expect((await runCommand(['caps', '--usd-per-day', '-1'])).code).toBe(2);
  expect(await runCommand(['caps', '--default', '--usd-per-day', '1'])).toMatchObject({ code: 2, stderr: expect.stringContaining('--usd-per-day') });
});
