// A child of the bench: the least that could stand between a caller and the database: fastify and supabase-js, nothing checked, nothing counted. `bare-api.ts <url> <key>`.
import { createClient } from '@supabase/supabase-js';
import fastify from 'fastify';
import { createHttp } from '../../control-plane/http.ts';

const [url = '', key = ''] = process.argv.slice(2);
const http = createHttp();
const api = fastify();
const clientOf = (authorization: string | undefined) => createClient(url, key, { accessToken: () => Promise.resolve((authorization ?? '').slice('Bearer '.length)), global: { fetch: http.fetch } });

api.get('/v1/machines', async (request) => (await clientOf(request.headers.authorization).from('machines').select('*').neq('phase', 'destroyed').order('created_at').order('id').limit(51)).data);
api.get<{ Params: { id: string } }>('/v1/machines/:id', async (request) => (await clientOf(request.headers.authorization).from('machines').select('*').eq('id', request.params.id).maybeSingle()).data);
api.get('/v1/traders', async (request) => (await clientOf(request.headers.authorization).from('traders').select('*').is('deleted_at', null).order('created_at').order('id').limit(51)).data);
api.put<{ Params: { id: string }; Body: { document: { name: string } } }>('/v1/traders/:id', async (request) => {
  const { document } = request.body;
  return (await clientOf(request.headers.authorization).from('traders').update({ name: document.name, document }).eq('id', request.params.id).is('deleted_at', null).select('*').maybeSingle()).data;
});
process.stdout.write(`${JSON.stringify({ ready: true, url: await api.listen({ port: 0, host: '127.0.0.1' }) })}\n`);
process.on('disconnect', () => process.exit());
process.on('SIGTERM', () => process.exit());
