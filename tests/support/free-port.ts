import { createServer } from 'node:net';

/** Below the ports that systems hand out by themselves (Linux from 32768, others from 49152), so that nobody who asks for any port, and no outgoing connection, gets it meanwhile. */
const RANGE = { from: 15_000, to: 32_000 };
const own = Number(process.env['VITEST_POOL_ID'] ?? 0);

/** A port of the loopback that is free and stays so until somebody asks for it by its number: for what must know its port before it listens, or come back to it. Workers of one run draw from different ports. */
export async function freePort(): Promise<number> {
  const workers = 16;
  for (let tries = 0; tries < 100; tries += 1) {
    const port = RANGE.from + Math.floor((Math.random() * (RANGE.to - RANGE.from)) / workers) * workers + (own % workers);
    const server = createServer();
    const isFree = await new Promise<boolean>((resolve) => {
      server.once('error', () => { resolve(false); });
      server.listen(port, '127.0.0.1', () => { resolve(true); });
    });
    await new Promise<void>((resolve) => { server.close(() => { resolve(); }); });
    if (isFree) return port;
  }
  throw new Error('There is no free port.');
}
