import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { WebSocketServer } from 'ws';

type Serve = (send: (value: unknown) => void, onCommand: (listener: (command: { type: string }) => void) => void) => void;

/** A machine that is ready and speaks the feed's protocol, but sends what the test says. */
export async function startOddMachine(onClient: Serve): Promise<{ url: string; close(): Promise<void> }> {
  const server = createServer((_, response) => { response.end('{"ready":true,"missing":[]}'); });
  const sockets = new WebSocketServer({ server, handleProtocols: () => 'trademind.v1' });
  sockets.on('connection', (socket) => {
    onClient((value) => socket.send(typeof value === 'string' ? value : JSON.stringify(value)), (listener) => {
      socket.on('message', (data) => listener(JSON.parse((data as Buffer).toString()) as { type: string }));
    });
  });
  await new Promise<void>((resolve) => { server.listen(0, '127.0.0.1', resolve); });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () => new Promise<void>((resolve) => {
      for (const socket of sockets.clients) socket.terminate();
      sockets.close();
      server.close(() => resolve());
    }),
  };
}
