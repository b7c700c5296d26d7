import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

/**
 * Ways in which a line breaks: amid a frame of the machine's, between two, amid the answer to the next handshake; without a word, so that both
 * ends still think it stands; on the client's side only.
 */
export const BREAKS = ['mid-frame', 'between', 'handshake', 'silent', 'half'] as const;
export type Break = (typeof BREAKS)[number];

export interface HarshLine {
  url: string;
  connections(): number;
  /** The line breaks so at its next chance; resolves when it has. `share` (0 to 1): after how much of a frame or an answer. */
  breakBy(kind: Break, share: number): Promise<void>;
  close(): Promise<void>;
}

/** A TCP line to a WebSocket server on a local port, which knows where the server's frames begin. */
export async function startHarshLine(port: number): Promise<HarshLine> {
  const open = new Set<Socket>();
  let connections = 0;
  let wanted: { kind: Break; share: number; done(): void } | undefined;
  const server = createServer((near) => {
    connections += 1;
    const far = connect(port, '127.0.0.1');
    const walk = new FrameWalk();
    let dead = false;
    for (const [from, to] of [[near, far], [far, near]] as const) {
      open.add(from);
      from.on('error', () => {});
      from.on('close', () => { open.delete(from); if (!dead) to.destroy(); });
    }
    const cut = (): void => {
      const { kind } = wanted!;
      dead = true;
      wanted?.done();
      wanted = undefined;
      if (kind === 'silent') return;
      near.destroy();
      if (kind !== 'half') far.destroy();
    };
    near.on('data', (chunk) => { if (!dead) far.write(chunk); });
    far.on('data', (chunk: Buffer) => {
      if (dead) return;
      const at = wanted && walk.cutAt(chunk, wanted.kind, wanted.share);
      walk.take(at === undefined ? chunk : chunk.subarray(0, at));
      if (at === undefined) near.write(chunk);
      // What was written before must arrive; only what comes after is lost.
      else near.write(chunk.subarray(0, at), cut);
    });
  });
  await new Promise<void>((resolve) => { server.listen(0, '127.0.0.1', resolve); });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    connections: () => connections,
    breakBy: (kind, share) => new Promise<void>((resolve) => { wanted = { kind, share, done: resolve }; }),
    close: () => new Promise<void>((resolve) => {
      server.close(() => resolve());
      for (const socket of open) socket.destroy();
    }),
  };
}

/** Where in the server's bytes one is: in the answer to the handshake, or so far into a frame. Frames of a server are not masked (RFC 6455, 5.2). */
class FrameWalk {
  #head = '';
  #inFrames = false;
  /** Bytes of the present frame that are still to come; 0 at the beginning of one. */
  #left = 0;
  #split: Buffer = Buffer.alloc(0);

  /** How many bytes of the chunk may still pass; undefined where this chunk offers no chance. */
  cutAt(chunk: Buffer, kind: Break, share: number): number | undefined {
    if (kind === 'handshake') return this.#inFrames ? undefined : Math.floor(share * chunk.length);
    if (!this.#inFrames || this.#split.length > 0) return undefined;
    const begins = this.#left;
    if (begins >= chunk.length) return undefined;
    if (kind !== 'mid-frame') return begins;
    const length = frameLength(chunk.subarray(begins));
    return length === undefined ? undefined : begins + 1 + Math.floor(share * (Math.min(length, chunk.length - begins) - 1));
  }

  take(chunk: Buffer): void {
    let rest: Buffer = chunk;
    if (!this.#inFrames) {
      this.#head += rest.toString('latin1');
      const end = this.#head.indexOf('\r\n\r\n');
      if (end === -1) return;
      this.#inFrames = this.#head.startsWith('HTTP/1.1 101');
      rest = rest.subarray(rest.length - (this.#head.length - end - 4));
      if (!this.#inFrames) return;
    }
    rest = Buffer.concat([this.#split, rest]);
    this.#split = Buffer.alloc(0);
    while (rest.length > 0) {
      if (this.#left === 0) {
        const length = frameLength(rest);
        if (length === undefined) {
          this.#split = rest;
          return;
        }
        this.#left = length;
      }
      const step = Math.min(this.#left, rest.length);
      this.#left -= step;
      rest = rest.subarray(step);
    }
  }
}

/** Header and payload of the frame that begins here; undefined while its header is not whole. */
function frameLength(bytes: Buffer): number | undefined {
  const short = bytes.length < 2 ? undefined : bytes[1]! & 0x7f;
  if (short === undefined || (short === 126 && bytes.length < 4) || (short === 127 && bytes.length < 10)) return undefined;
  if (short === 126) return 4 + bytes.readUInt16BE(2);
  return short === 127 ? 10 + Number(bytes.readBigUInt64BE(2)) : 2 + short;
}
