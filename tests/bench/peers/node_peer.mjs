// SPDX-License-Identifier: ISC
// What a Node team would build: Fastify, node-postgres with named statements, undici, one process per worker.
// The same routes as fastapi_peer.py. PORT, WORKERS and PEER_* come from bench.py.
import cluster from 'node:cluster';
import Fastify from 'fastify';
import jwt from '@fastify/jwt';
import pg from 'pg';
import { request } from 'undici';

const { PORT, WORKERS, PEER_PG, PEER_SECRET, PEER_UPSTREAM } = process.env;
const PAGE = `SELECT m.room_id, m.id, m.user_id, u.username, m.content, m.created_at, m.reply_to, m.client_id
FROM messages m JOIN users u ON u.id = m.user_id
WHERE m.room_id = (SELECT r.id FROM rooms r WHERE r.id = $1 AND (r.visibility = 'public' OR EXISTS (
	SELECT FROM members e WHERE e.room_id = r.id AND e.user_id = $2))) ORDER BY m.id DESC LIMIT 50`;
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
	app.get('/api/rooms/:room/messages', { preHandler: caller }, async (req) => {
		const room = req.params.room;
		const { rows } = await pool.query({ name: 'page', text: PAGE, values: [room, req.user.sub] });
		return rows.reverse().map((r) => ({
			id: room + '.' + r.id, room_id: +room, seq: +r.id, content: r.content,
			author: { kind: 'user', id: +r.user_id, name: r.username }, created_at: r.created_at,
			reply_to: r.reply_to, client_id: r.client_id,
		}));
	});
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
