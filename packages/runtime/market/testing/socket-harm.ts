import { createHash } from 'node:crypto';
import type { Duplex } from 'node:stream';
import type { Draws } from './harm.ts';

/** RFC 6455, 1.3. */
const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';

const accept = (key: string, more = '') => `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${createHash('sha1').update(key + GUID).digest('base64')}\r\n${more}\r\n`;
const noise = (draws: Draws, length: number) => Buffer.from(Array.from({ length }, () => draws.within(0, 255)));
const after = (bytes: (draws: Draws) => Buffer) => (socket: Duplex, key: string, draws: Draws) => { socket.write(Buffer.concat([Buffer.from(accept(key)), bytes(draws)])); };

const HARMS = {
  'no HTTP': (socket: Duplex, _key: string, draws: Draws) => { socket.end(noise(draws, 200)); },
  'no words': (socket: Duplex) => { socket.destroy(); },
  'half an answer': (socket: Duplex, key: string, draws: Draws) => { socket.end(accept(key).slice(0, draws.within(1, 100))); },
  'a wrong key': (socket: Duplex) => { socket.write(accept('another')); },
  'an extension that nobody asked for': (socket: Duplex, key: string) => { socket.write(accept(key, 'Sec-WebSocket-Extensions: permessage-deflate\r\n')); },
  'a protocol that nobody asked for': (socket: Duplex, key: string) => { socket.write(accept(key, 'Sec-WebSocket-Protocol: chat\r\n')); },
  'a redirect': (socket: Duplex) => { socket.end('HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n'); },
  'a refusal without end': (socket: Duplex) => { socket.write('HTTP/1.1 503 Unavailable\r\nRetry-After: 99999999999999\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nwait…'); },
  'a page': (socket: Duplex) => { socket.end('HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 15\r\n\r\n<html>200</html'); },
  'noise': after((draws) => noise(draws, 2_000)),
  'a reserved bit': after(() => Buffer.from([0xf1, 1, 0x41])),
  'an unknown opcode': after((draws) => Buffer.from([0x80 | draws.of([3, 4, 7, 11, 15]), 1, 0x41])),
  'a masked frame': after(() => Buffer.from([0x81, 0x81, 1, 2, 3, 4, 0x41])),
  'a frame of 9 exabytes': after(() => Buffer.from([0x81, 127, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff])),
  'a frame of 5 MB': after(() => Buffer.from([0x81, 127, 0, 0, 0, 0, 0, 0x50, 0, 0])),
  'a part that begins nothing': after(() => Buffer.from([0x80, 1, 0x41])),
  'parts without end': after(() => Buffer.concat([Buffer.from([0x01, 1, 0x41]), ...Array.from({ length: 500 }, () => Buffer.from([0x00, 1, 0x41]))])),
  'a ping too large': after(() => Buffer.concat([Buffer.from([0x89, 126, 0, 126]), Buffer.alloc(126)])),
  'pings without end': after(() => Buffer.concat(Array.from({ length: 500 }, () => Buffer.from([0x89, 1, 0x41])))),
  'a close with no code of its own': after(() => Buffer.from([0x88, 2, 0x03, 0xed])),
  'a close of one byte': after(() => Buffer.from([0x88, 1, 3])),
  'a text that is none, then nothing': after(() => Buffer.from([0x81, 2, 0xff, 0xfe])),
} satisfies Record<string, (socket: Duplex, key: string, draws: Draws) => void>;

export type SocketHarm = keyof typeof HARMS;
export const SOCKET_HARMS = Object.keys(HARMS) as SocketHarm[];

/** Answers a WebSocket handshake, or goes on after it, as no server does. The connection stays open where it is the client that must end it. */
export function harmSocket(kind: SocketHarm, socket: Duplex, key: string, draws: Draws): void {
  HARMS[kind](socket, key, draws);
}
