// A child of the bench: the least that could stand between a caller and the database: fastify and supabase-js, nothing checked, nothing counted. `bare-api.ts <url> <key>`.
import { createClient } from '@supabase/supabase-js';
import fastify, { type FastifyRequest } from 'fastify';
import { createHttp } from '../../control-plane/http.ts';

type One = FastifyRequest<{ Params: { id: string }; Body: { document: { name: string } } }>;
const [url = '', key = ''] = process.argv.slice(2);
const http = createHttp();
const clientOf = ({ headers: { authorization = '' } }: { headers: { authorization?: string | undefined } }) => createClient(url, key, { accessToken: () => Promise.resolve(authorization.slice('Bearer '.length)), global: { fetch: http.fetch } });

const handlers = {
  machines: async (request: FastifyRequest) => (await clientOf(request).from('machines').select('*').neq('phase', 'destroyed').order('created_at').order('id').limit(51)).data,
  machine: async (request: One) => (await clientOf(request).from('machines').select('*').eq('id', request.params.id).maybeSingle()).data,
  traders: async (request: FastifyRequest) => (await clientOf(request).from('traders').select('*').is('deleted_at', null).order('created_at').order('id').limit(51)).data,
  change: async (request: One) => {
    const { document } = request.body;
    return (await clientOf(request).from('traders').update({ name: document.name, document }).eq('id', request.params.id).is('deleted_at', null).select('*').maybeSingle()).data;
  },
};
const api = fastify();
api.get('/v1/machines', handlers.machines);
api.get('/v1/machines/:id', handlers.machine);
api.get('/v1/traders', handlers.traders);
api.put('/v1/traders/:id', handlers.change);
process.stdout.write(`${JSON.stringify({ ready: true, url: await api.listen({ port: 0, host: '127.0.0.1' }) })}\n`);
process.on('disconnect', () => process.exit());
process.on('SIGTERM', () => process.exit());
