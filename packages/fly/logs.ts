import { z } from 'zod';
import { createSend, path, type CallOptions, type FlyClientOptions } from './transport.ts';

/** A line that a machine has said. */
export interface FlyLogLine { at: string; message: string; machineId: string | undefined; region: string | undefined }

const Answer = z.looseObject({
  data: z.array(z.looseObject({
    attributes: z.looseObject({ timestamp: z.string().nullish(), message: z.string().nullish(), instance: z.string().nullish(), region: z.string().nullish() }),
  })).nullish(),
});

/**
 * Fly's log API, which is not part of the Machines API (`https://api.fly.io/api/v1`) and not documented: what is known is how Fly's own tool reads it. It is asked for a
 * machine that never reached us; nothing may depend on it. The last lines of one machine, oldest first.
 */
export type ReadFlyLogs = (app: string, machineId: string, options?: CallOptions) => Promise<FlyLogLine[]>;

/** `baseUrl`: of the log API, with its version. Throws FlyError. */
export function createReadFlyLogs(options: FlyClientOptions): ReadFlyLogs {
  const send = createSend(options);
  return async (app, machineId, call) => {
    const { value } = await send({
      kind: 'read', doing: `read the log of machine ${machineId}`, method: 'GET', path: path('apps', app, 'logs'), query: { instance: machineId }, parse: Answer.parse, options: call,
    });
    return (value.data ?? []).map(({ attributes }) => ({
      at: attributes.timestamp ?? '', message: attributes.message ?? '', machineId: attributes.instance ?? undefined, region: attributes.region ?? undefined,
    })).filter((line) => line.machineId === undefined || line.machineId === machineId);
  };
}
