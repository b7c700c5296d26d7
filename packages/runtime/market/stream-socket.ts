import { WebSocket, type ClientOptions } from 'ws';

const HANDSHAKE_MS = 10_000;
/** The tickers of all symbols come in one frame of some 100 KB. */
const LARGEST_FRAME = 4 * 1024 * 1024;
/** `closeTimeout`: a peer that does not end a connection that is over, by a close or by an error of its own, is not waited for; the library's own wait is 30 s, in which nothing would come. */
const OPTIONS: ClientOptions & { closeTimeout: number } = {
  handshakeTimeout: HANDSHAKE_MS, perMessageDeflate: false, maxPayload: LARGEST_FRAME, closeTimeout: 500,
  // Text that is no UTF-8 must not end the connection: the reader calls the frame malformed.
  skipUTF8Validation: true,
};

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
  const socket = new WebSocket(url, OPTIONS);
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
      if (socket.readyState === WebSocket.OPEN) socket.close(1000);
      else socket.terminate();
    },
    terminate: () => socket.terminate(),
  };
};
