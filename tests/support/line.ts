import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

export interface Line {
  url: string;
  /** Ends every connection; while `down` new ones are ended too. */
  cut(): void;
  down: boolean;
  /** What comes back to the client is held so many ms. */
  slowMs: number;
  close(): Promise<void>;
}

/** A TCP line to a local port that can be cut or slowed down at any moment. */
export async function startLine(port: number): Promise<Line> {
  const open = new Set<Socket>();
  const server = createServer((near) => {
    if (line.down) {
      near.destroy();
      return;
    }
    const far = connect(port, '127.0.0.1');
    for (const socket of [near, far]) {
      open.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => open.delete(socket));
    }
    near.pipe(far);
    far.on('data', (chunk: Buffer) => {
      if (line.slowMs === 0) near.write(chunk);
      else setTimeout(() => { if (near.writable) near.write(chunk); }, line.slowMs);
    });
    far.on('end', () => setTimeout(() => near.end(), line.slowMs));
    near.on('close', () => far.destroy());
  });
  await new Promise<void>((resolve) => { server.listen(0, '127.0.0.1', resolve); });
  const line: Line = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    down: false,
    slowMs: 0,
    cut() { for (const socket of open) socket.destroy(); },
    close: () => new Promise<void>((resolve) => {
      server.close(() => resolve());
      line.cut();
    }),
  };
  return line;
}
