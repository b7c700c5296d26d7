import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Gate {
  url: string;
  /** Lets so many answers through from now on and holds all further ones back; resolves when the last of them is out. */
  let(answers: number): Promise<void>;
  /** Lets everything through. */
  open(): void;
  close(): Promise<void>;
}

/** An exchange as another one, of which a test decides how far it answers: so whoever asks can be caught in the middle. */
export async function startGate(target: string): Promise<Gate> {
  let left = Infinity;
  let passed: (() => void) | undefined;
  const held: (() => void)[] = [];
  const pass = (send: () => void) => {
    if (left <= 0) {
      held.push(send);
      return;
    }
    left--;
    send();
    if (left === 0) passed?.();
  };
  const open = () => {
    left = Infinity;
    for (const send of held.splice(0)) send();
  };
  const answer = async (path: string, response: ServerResponse) => {
    const upstream = await fetch(target + path);
    const body = Buffer.from(await upstream.arrayBuffer());
    pass(() => response.writeHead(upstream.status, { 'content-type': 'application/json', 'x-mbx-used-weight-1m': upstream.headers.get('x-mbx-used-weight-1m') ?? '0' }).end(body));
  };
  const server = createServer((request, response) => { answer(request.url ?? '/', response).catch(() => response.destroy()); });
  await new Promise<void>((resolve) => { server.listen(0, '127.0.0.1', resolve); });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    let: (answers) => {
      held.length = 0;
      left = answers;
      return new Promise((resolve) => { passed = resolve; });
    },
    open,
    close: () => new Promise((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    }),
  };
}
