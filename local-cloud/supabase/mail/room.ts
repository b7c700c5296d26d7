import { sameSecret } from '../../shared/http.ts';
import { json, type Answer, type Call } from '../answer.ts';
import { escapeHtml } from './letters.ts';
import type { CaughtMail, Mailbox } from './mailbox.ts';

const SENDER = { Name: 'Local Supabase', Address: 'noreply@localhost' };

/**
 * The mail catcher: a page at `/mail`, and below it the part of Mailpit's interface that tests use (`/mail/api/v1/messages`, `/message/:id`, `/search?query=to:…`).
 * Mails open sessions, so reading them takes the project's secret key: in the header `apikey`, or as the password that the browser asks for.
 */
export function createMailRoom(mailbox: Mailbox, secretKey: string): (call: Omit<Call, 'caller'>) => Answer {
  return (call) => {
    if (!sameSecret(keyOf(call.headers), secretKey)) {
      return { ...json(401, { error: 'The mail catcher takes the secret key, as header apikey or as password of Basic authentication.' }), headers: { 'www-authenticate': 'Basic realm="mail catcher: the project\'s secret key", charset="UTF-8"' } };
    }
    const id = /^\/api\/v1\/message\/([\w-]+)$/.exec(call.path)?.[1];
    if (call.method === 'GET' && id !== undefined) return one(mailbox.read(id));
    switch (`${call.method} ${call.path}`) {
      case 'GET /': return page(mailbox.list());
      case 'GET /api/v1/messages': return json(200, listed(mailbox.list(), call));
      case 'GET /api/v1/search': return search(mailbox, call);
      case 'DELETE /api/v1/messages': return remove(mailbox, call.body);
      default: return json(404, { error: 'The mail catcher has no such address' });
    }
  };
}

function keyOf(headers: Call['headers']): string {
  if (headers['apikey'] !== undefined) return headers['apikey'];
  const basic = /^Basic\s+([\w+/=-]+)$/i.exec(headers['authorization'] ?? '')?.[1];
  return basic === undefined ? '' : Buffer.from(basic, 'base64').toString('utf8').split(':').slice(1).join(':');
}

const summary = (mail: CaughtMail) => ({
  ID: mail.id, From: SENDER, To: [{ Name: '', Address: mail.to }], Subject: mail.subject, Created: mail.at, Size: Buffer.byteLength(mail.text + mail.html), Snippet: mail.text.slice(0, 250),
});

const one = (mail: CaughtMail | undefined) => (mail === undefined
  ? json(404, { error: 'message not found' })
  : json(200, { ...summary(mail), Date: mail.at, Text: mail.text, HTML: mail.html }));

function listed(mails: readonly CaughtMail[], call: Pick<Call, 'query'>): Record<string, unknown> {
  const start = Math.max(0, Number(call.query.get('start') ?? 0) || 0);
  const limit = Math.min(500, Math.max(1, Number(call.query.get('limit') ?? 50) || 50));
  return { total: mails.length, count: mails.slice(start, start + limit).length, start, messages: mails.slice(start, start + limit).map(summary) };
}

function search(mailbox: Mailbox, call: Omit<Call, 'caller'>): Answer {
  const to = /^to:"?([^\s"]+)"?$/.exec(call.query.get('query') ?? '')?.[1];
  return to === undefined ? json(400, { error: 'Search with query=to:<address>' }) : json(200, listed(mailbox.list(to), call));
}

function remove(mailbox: Mailbox, body: string): Answer {
  let ids: unknown;
  try {
    ids = body === '' ? undefined : (JSON.parse(body) as { IDs?: unknown } | null)?.IDs;
  } catch {
    return json(400, { error: 'The body is not JSON' });
  }
  mailbox.remove(Array.isArray(ids) && ids.length > 0 ? ids.map(String) : null);
  return json(200, { ok: true });
}

function page(mails: readonly CaughtMail[]): Answer {
  const items = mails.map((mail) => `<article><h2>${escapeHtml(mail.subject)}</h2><p>to ${escapeHtml(mail.to)}, <time>${mail.at}</time></p>${mail.html}</article>`).join('\n');
  const style = 'body{font:16px/1.5 system-ui;max-width:44rem;margin:2rem auto;padding:0 1rem}article{border:1px solid #ccc;border-radius:8px;padding:0 1rem;margin:1rem 0}h2{font-size:1.1rem}';
  return {
    status: 200,
    headers: { 'content-type': 'text/html; charset=utf-8', 'content-security-policy': "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'", 'referrer-policy': 'no-referrer' },
    body: `<!doctype html><html lang="en"><meta charset="utf-8"><title>Caught mails</title><style>${style}</style><h1>Caught mails</h1>\n${items === '' ? '<p>No mail yet.</p>' : items}</html>`,
  };
}
