export { backoffMs } from './backoff.ts';
export { CloudWebSocketClient, createFeedClient } from './client.ts';
export type { Command } from './client.ts';
export type { FeedClientOptions, FeedTicket, FeedTiming, MachineSeen } from './options.ts';
export { emptyView } from './store.ts';
export type { FeedState, FeedView } from './store.ts';
