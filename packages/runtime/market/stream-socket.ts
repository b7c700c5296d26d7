import { WebSocket } from 'ws';

const HANDSHAKE_MS = 10_000;
/** The tickers of all symbols come in one frame of some 100 KB. */
const LARGEST_FRAME = 4 * 1024 * 1024;
/** A peer that does not answer a close is not waited for. */
const CLOSE_WAIT_MS = 500;

export interface StreamSocketEvents {
  onOpen(): void;
  /** A whole frame; binary ones are none of the exchange's. */
  onFrame(bytes: Buffer, isBinary: boolean): void;
  onPing(): void;
  /** The exchange answered the handshake with a plain HTTP status; `retryAfter` in seconds. */
  onRefused(status: number, retryAfter: number | undefined): void;
  onError(error: Error): void;
  /** Once, at the end, whatever ended it; 1006 when nothing was said, else the code and words of whoever closed it. */
  onClose(code: number, reason: string): void;
}

/** What a connection needs of a WebSocket; a replay gives its own. */
export interface StreamSocket {
  readonly isOpen: boolean;
  send(text: string): void;
  /** Ends it; `onClose` follows. */
  close(): void;
  terminate(): void;
}

export type OpenStreamSocket = (url: string, events: StreamSocketEvents) => StreamSocket;

/** A real WebSocket. It answers pings with the same payload by itself. */
export const openStreamSocket: OpenStreamSocket = (url, events) => {
  // Text that is no UTF-8 must not end the connection: the reader calls the frame malformed.
  const socket = new WebSocket(url, { handshakeTimeout: HANDSHAKE_MS, perMessageDeflate: false, maxPayload: LARGEST_FRAME, skipUTF8Validation: true });
  socket.on('open', () => events.onOpen());
  socket.on('message', (data, isBinary) => events.onFrame(data as Buffer, isBinary));
  socket.on('ping', () => events.onPing());
  socket.on('unexpected-response', (request, response) => {
    const seconds = Number(response.headers['retry-after'] ?? Number.NaN);
    events.onRefused(response.statusCode ?? 0, Number.isFinite(seconds) ? seconds : undefined);
    response.resume();
    request.destroy();
    socket.terminate();
  });
  socket.on('error', (error) => events.onError(error));
  socket.on('close', (code, reason) => events.onClose(code, reason.toString('utf8')));
  return {
    get isOpen() { return socket.readyState === WebSocket.OPEN; },
    send: (text) => socket.send(text),
    close: () => {
      if (socket.readyState !== WebSocket.OPEN) {
        socket.terminate();
        return;
      }
      socket.close(1000);
      setTimeout(() => socket.terminate(), CLOSE_WAIT_MS).unref();
    },
    terminate: () => socket.terminate(),
  };
};
