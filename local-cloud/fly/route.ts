import { ApiError } from './api-error.ts';

export interface ApiRequest {
  params: Readonly<Record<string, string>>;
  query: URLSearchParams;
  /** The JSON body; an empty object when there was none. */
  body: Readonly<Record<string, unknown>>;
  nonce: string | undefined;
  /** Whose token it is. */
  who: string;
  /** Aborted when the caller has gone. */
  signal: AbortSignal;
}
export interface ApiAnswer { status: number; body?: unknown; headers?: Record<string, string> }

/** One verb of the API. `limit`: which of Fly's rate limits holds. */
export interface Route {
  method: string;
  path: string;
  verb: string;
  limit: 'action' | 'get-machine' | 'app-delete' | 'none';
  handle: (request: ApiRequest) => ApiAnswer | Promise<ApiAnswer>;
}

/** A switch in a query: `true`, `1`, or there without a value. */
export const isFlag = (value: string | null): boolean => value === '' || value === 'true' || value === '1';

export const ok = (body: unknown, status = 200): ApiAnswer => ({ status, body });

export interface Match { route: Route; params: Record<string, string> }

/** Finds the verb of a path below `/v1`; null when there is none, 405 when only the method is wrong. */
export function createRouter(routes: readonly Route[]): (method: string, path: string) => Match | null {
  const compiled = routes.map((route) => ({ route, segments: route.path.split('/').slice(1) }));
  return (method, path) => {
    const given = path.split('/').slice(1);
    let pathKnown = false;
    for (const { route, segments } of compiled) {
      if (segments.length !== given.length) continue;
      const params: Record<string, string> = {};
      const fits = segments.every((segment, index) => {
        const value = given[index] ?? '';
        if (!segment.startsWith(':')) return segment === value;
        params[segment.slice(1)] = decode(value);
        return value !== '';
      });
      if (!fits) continue;
      if (route.method === method) return { route, params };
      pathKnown = true;
    }
    if (pathKnown) throw new ApiError(405, 'method not allowed');
    return null;
  };
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new ApiError(400, 'invalid_argument: the path is not well encoded');
  }
}
