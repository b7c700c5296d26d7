export { backoffMs } from './backoff.ts';
export { CloudWebSocketClient, createFeedClient } from './client.ts';
export type { FeedClientOptions, FeedTicket, FeedTiming } from './options.ts';
export { emptyView } from './store.ts';
export type { FeedState, FeedView } from './store.ts';
