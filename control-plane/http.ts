import { Agent, fetch as undiciFetch } from 'undici';

/** One pool of kept-alive connections for everything this process calls. */
export function createHttp(): { agent: Agent; fetch: typeof fetch; close(): Promise<void> } {
  const agent = new Agent({ connections: 32, keepAliveTimeout: 10_000, connectTimeout: 5_000 });
  const call = (input: Parameters<typeof undiciFetch>[0], init?: Parameters<typeof undiciFetch>[1]) => undiciFetch(input, { ...init, dispatcher: agent });
  return {
    agent,
    // undici's own types and those of the platform describe the same thing with different names
    fetch: call as unknown as typeof fetch,
    close: () => agent.destroy(),
  };
}
