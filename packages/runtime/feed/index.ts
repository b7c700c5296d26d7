export { FEED_LIMITS } from './options.ts';
export type { FeedLimits, FeedStats, RunningWebSocketServer, UsedTickets, WebSocketServerOptions } from './options.ts';
export type { FeedEvent, FeedSource } from './source.ts';
export { startWebSocketServer } from './websocket-server.ts';
