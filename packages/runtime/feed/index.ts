export type { RunningWebSocketServer, WebSocketServerOptions } from './options.ts';
export type { FeedEvent, FeedSource } from './source.ts';
export { startWebSocketServer } from './websocket-server.ts';
