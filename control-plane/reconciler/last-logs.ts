import { redact } from '@trademind/core';
import { z } from 'zod';

/** How many lines a user is shown of a boot that failed. */
const LINES = 20;
const LINE_LENGTH = 500;
const TIMEOUT_MS = 5_000;

const Answer = z.looseObject({
  data: z.array(z.looseObject({ attributes: z.looseObject({ message: z.string(), timestamp: z.string().optional(), instance: z.string().optional() }) })),
});

/**
 * The last lines that a machine wrote, from Fly's log API (`GET {url}/apps/{app}/logs?instance=…`, apart from the Machines API, as Fly's own command line reads it). All
 * of what is known of it stands in this file. Without a URL, or when it does not answer, there are none: a log is a help, never a condition.
 */
export function createLastLogs(options: { url: string | undefined; token: string; fetch: typeof fetch }): (app: string, machineId: string, signal: AbortSignal) => Promise<string[]> {
  const { url, token } = options;
  if (url === undefined) return () => Promise.resolve([]);
  return async (app, machineId, signal) => {
    try {
      const response = await options.fetch(`${url}/apps/${encodeURIComponent(app)}/logs?instance=${encodeURIComponent(machineId)}`, {
        headers: { authorization: /^(FlyV1|Bearer) /i.test(token) ? token : `Bearer ${token}`, accept: 'application/json' },
        signal: AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]), redirect: 'error',
      });
      if (!response.ok) {
        await response.body?.cancel();
        return [];
      }
      const { data } = Answer.parse(await response.json());
      return data.filter(({ attributes }) => attributes.instance === undefined || attributes.instance === machineId)
        .slice(-LINES).map(({ attributes }) => redact(attributes.message, [token]).slice(0, LINE_LENGTH));
    } catch {
      return [];
    }
  };
}
