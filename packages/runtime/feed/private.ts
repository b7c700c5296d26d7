import type { IncomingMessage, ServerResponse } from 'node:http';
import { addressOf } from './address.ts';
import type { FeedStats, WebSocketServerOptions } from './options.ts';
import { HttpProblem, problemOf, sendJson, sendText } from './problems.ts';

type PrivateOptions = Pick<WebSocketServerOptions, 'metrics' | 'ready' | 'source'> & { stats: () => FeedStats; onFailure: (error: unknown) => void };

/** The private port, which only the platform's own network reaches: `/metrics` for Prometheus, `/ready` in detail. */
export function createPrivateHandler(options: PrivateOptions): (request: IncomingMessage, response: ServerResponse) => void {
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const { path } = addressOf(request);
    if (path === '/metrics') return sendText(response, 200, 'text/plain; version=0.0.4; charset=utf-8', await options.metrics());
    if (path !== '/ready') throw new HttpProblem(404, { code: 'route_unknown', message: 'Here are /metrics and /ready.' });
    const { ready, missing } = options.ready();
    sendJson(response, ready ? 200 : 503, { ready, missing, feed: options.stats(), status: options.source.status() });
  };
  return (request, response) => {
    answer(request, response).catch((error: unknown) => {
      if (!(error instanceof HttpProblem)) options.onFailure(error);
      const problem = problemOf(error);
      if (!response.headersSent) sendJson(response, problem.status, problem);
    });
  };
}
