// SPDX-License-Identifier: ISC
// What a Node team would build: Fastify, node-postgres with named statements, undici, one process per worker.
// The same routes as fastapi_peer.py. PORT, WORKERS and PEER_* come from bench.py.
import cluster from 'node:cluster';
import Fastify from 'fastify';
import jwt from '@fastify/jwt';
import pg from 'pg';
import { request } from 'undici';

const { PORT, WORKERS, PEER_PG, PEER_SECRET, PEER_UPSTREAM } = process.env;
const PAGE = 'SELECT id, user_id, content, created_at FROM messages WHERE room_id = $1 ORDER BY id DESC LIMIT 50';
const SEND = 'INSERT INTO messages (room_id, user_id, content) VALUES ($1, $2, $3) RETURNING id, created_at';

async function serve() {
	const app = Fastify();
	const pool = new pg.Pool({ connectionString: PEER_PG, max: 8 });
	const windows = new Map();
	const caller = async (req, reply) => {
		await req.jwtVerify();
		const key = req.user.sub + ':' + Math.floor(Date.now() / 60000);
		const count = (windows.get(key) || 0) + 1;
		windows.set(key, count);
		if (count > 1e9)
			reply.code(429).send({ detail: 'too many' });
	};
	app.register(jwt, { secret: PEER_SECRET });
	app.get('/health', async () => ({ status: 'healthy' }));
	app.get('/api/rooms/:room/messages', { preHandler: caller }, async (req) =>
		(await pool.query({ name: 'page', text: PAGE, values: [req.params.room] })).rows);
	app.post('/api/rooms/:room/messages', { preHandler: caller }, async (req, reply) => {
		const values = [req.params.room, req.user.sub, req.body.content];
		reply.code(201);
		return (await pool.query({ name: 'send', text: SEND, values })).rows[0];
	});
	app.post('/api/chat', { preHandler: caller }, async (req, reply) => {
		const messages = [{ role: 'user', content: req.body.message }];
		const answer = await request(PEER_UPSTREAM, {
			method: 'POST', headers: { 'content-type': 'application/json' },
			body: JSON.stringify({ model: 'm', stream: true, messages }),
		});
		reply.header('content-type', 'text/event-stream');
		return reply.send(answer.body);
	});
	await app.listen({ port: +PORT, host: '127.0.0.1' });
}

if (cluster.isPrimary) {
	for (let i = 0; i < +WORKERS; i++)
		cluster.fork();
	process.on('SIGTERM', () => process.exit(0));
} else {
	await serve();
}
