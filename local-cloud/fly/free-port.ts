import { createServer } from 'node:net';

/** Below the ports that systems hand out by themselves (Linux from 32768, others from 49152): nobody who asks for any port, and no outgoing connection, gets one before the machine listens on it. */
const RANGE = { from: 15_000, to: 32_768 };
const TRIES = 1_000;

/** Ports of loopback that nobody listens on, all different. They are free now, not kept: a machine that finds its port taken exits and is started again with others. */
export async function freePorts(count: number, random: () => number = Math.random): Promise<number[]> {
  const ports = new Set<number>();
  for (let tries = 0; ports.size < count; tries += 1) {
    if (tries === TRIES) throw new Error(`There are no ${count} free ports from ${RANGE.from} to ${RANGE.to}.`);
    const port = RANGE.from + Math.floor(random() * (RANGE.to - RANGE.from));
    if (!ports.has(port) && await isFree(port)) ports.add(port);
  }
  return [...ports];
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => { resolve(false); });
    server.listen(port, '127.0.0.1', () => { server.close(() => { resolve(true); }); });
  });
}
