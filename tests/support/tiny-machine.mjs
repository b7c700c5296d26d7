// A machine for tests: answers over HTTP and WebSocket what it was given, and does what it is told. Counts its boots in DATA_DIR, leaves a crumb in its root folder.
import { appendFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { WebSocketServer } from 'ws';

const { PORT, HOST, DATA_DIR } = process.env;
const crumb = existsSync('crumb');
writeFileSync('crumb', 'left by an earlier boot');
if (DATA_DIR) appendFileSync(join(DATA_DIR, 'boots'), `${process.pid}\n`);

const server = createServer((request, response) => {
  const { pathname, searchParams } = new URL(request.url, 'http://machine');
  if (pathname === '/exit') process.exit(Number(searchParams.get('code')));
  if (pathname === '/crash') process.kill(process.pid, 'SIGKILL');
  const boots = DATA_DIR ? readFileSync(join(DATA_DIR, 'boots'), 'utf8').trim().split('\n').map(Number) : [];
  response.writeHead(200, { 'content-type': 'application/json' });
  response.end(JSON.stringify({ pid: process.pid, path: request.url, headers: request.headers, env: process.env, cwd: process.cwd(), crumb, boots }));
});
new WebSocketServer({ server, handleProtocols: (offered) => [...offered][0] }).on('connection', (socket, request) => {
  socket.send(JSON.stringify({ path: request.url, origin: request.headers.origin, offered: request.headers['sec-websocket-protocol'] }));
  socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }));
});
server.listen(Number(PORT), HOST);
process.on('SIGTERM', () => {
  if (DATA_DIR) appendFileSync(join(DATA_DIR, 'drained'), `${process.pid}\n`);
  if (process.env.IGNORE_SIGTERM !== 'true') process.exit(0);
});
