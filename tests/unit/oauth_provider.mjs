// A token endpoint as providers have it, for the tests of renewal: refresh tokens that rotate and work once, a family that
// is revoked when an old one comes back, and as much grace as a family was made with.
// Prints its port when it listens, and ends when its input does.
//
//	GET  /new?expires_in=3600&grace=0&rotate=1&delay=0&lose=0&fail=   a family: {family, access_token, refresh_token}
//	GET  /set?family=f&fail=html                             how it answers from now on
//	GET  /count?family=f                                     {exchanges, answers, reuses, revoked, seen}
//	POST /token                                              RFC 6749: refresh_token, client_credentials, jwt-bearer
//	POST /revoke                                             RFC 7009
//	POST /app/access_tokens                                  a GitHub App's: {token, expires_at}
import { createPublicKey, createVerify, randomBytes } from 'node:crypto';
import { createServer } from 'node:http';

const families = new Map(), byRefresh = new Map();
const clients = { seen: [], exchanges: 0, fail: '' };
const token = (kind) => `${kind}-${randomBytes(18).toString('base64url')}`;

function newPair(family) {
	const pair = { access: token('access'), refresh: token('refresh'), usedAt: 0 };
	family.current = pair;
	family.access.push(pair.access);
	byRefresh.set(pair.refresh, { family, pair });
	return pair;
}

function newFamily(query) {
	const number = (name, otherwise) => Number(query.get(name) ?? otherwise);
	const family = {
		id: token('family'), expiresIn: number('expires_in', 3600), grace: number('grace', 0), rotate: number('rotate', 1),
		delay: number('delay', 0), lose: number('lose', 0), fail: query.get('fail') ?? '',
		exchanges: 0, answers: 0, reuses: 0, revoked: false, seen: [], access: [],
	};
	families.set(family.id, family);
	return { family: family.id, ...answerOf({ ...family, rotate: 1 }, newPair(family)) };
}

function answerOf(family, pair) {
	const answer = { access_token: pair.access, token_type: 'Bearer', expires_in: family.expiresIn, refresh_token: pair.refresh };
	if (!family.rotate) delete answer.refresh_token;
	return answer;
}

// Ways to answer badly, [status, headers, body]: those where nothing was exchanged, and those where it was.
const REFUSALS = {
	html: () => [200, { 'Content-Type': 'text/html' }, '<html>Service portal</html>'],
	error200: () => [200, {}, JSON.stringify({ error: 'temporarily_unavailable', error_description: 'secret words' })],
	rate: () => [429, { 'Retry-After': '120' }, '{"error":"slow_down"}'],
	down: () => [503, {}, 'down'],
	client: () => [401, {}, '{"error":"invalid_client","error_description":"<script>"}'],
	redirect: () => [302, { Location: 'https://example.com/' }, ''],
	made_up: () => [200, {}, '{"refresh_token":"made up","expires_in":-1}'],
	invalid_grant: () => [400, {}, '{"error":"invalid_grant"}'],
};
const GARBLED = {
	truncated: (good) => [200, {}, JSON.stringify(good).slice(0, -20)],
	no_token: ({ access_token, ...good }) => [200, {}, JSON.stringify(good)],
	control: (good) => [200, {}, JSON.stringify({ ...good, access_token: 'a\nb' })],
	negative: (good) => [200, {}, JSON.stringify({ ...good, expires_in: -1 })],
};

const later = (ms) => new Promise((done) => setTimeout(done, ms));

function refreshGrant(form) {
	const known = byRefresh.get(form.refresh_token);
	if (!known) return [400, { error: 'invalid_grant' }];
	const { family, pair } = known;
	family.seen.push(form.refresh_token);
	if (family.fail in REFUSALS) return [0, null, family];
	if (family.revoked) return [400, { error: 'invalid_grant' }, family];
	if (family.rotate && pair !== family.current && !(family.grace > 0 && Date.now() - pair.usedAt < family.grace)) {
		family.reuses++;
		family.revoked = true;
		return [400, { error: 'invalid_grant', error_description: 'reuse' }, family];
	}
	family.exchanges++;
	if (family.rotate) pair.usedAt ||= Date.now();
	const next = family.rotate ? newPair(family) : Object.assign(pair, { access: token('access') });
	family.access.push(next.access);
	return [200, answerOf(family, next), family];
}

function jwtGrant(assertion) {
	const [head, claims, signature] = assertion.split('.');
	const key = clients.key && createPublicKey(clients.key);
	if (!key || !createVerify('RSA-SHA256').update(`${head}.${claims}`).verify(key, signature, 'base64url'))
		return [400, { error: 'invalid_grant' }];
	clients.claims = JSON.parse(Buffer.from(claims, 'base64url'));
	return [200, { access_token: token('access'), expires_in: 3600, token_type: 'Bearer' }];
}

function grant(form, authorization) {
	if (form.grant_type === 'refresh_token') return refreshGrant(form);
	clients.exchanges++;
	if (form.grant_type === 'client_credentials') {
		const basic = Buffer.from(authorization?.replace('Basic ', '') ?? '', 'base64').toString().split(':').map(decodeURIComponent);
		if ((form.client_secret ?? basic[1]) !== 'the secret') return [401, { error: 'invalid_client' }];
		return [200, { access_token: token('access'), expires_in: clients.expiresIn ?? 3600, token_type: 'Bearer', scope: form.scope }];
	}
	return jwtGrant(form.assertion ?? '');
}

async function body(request) {
	const chunks = [];
	for await (const chunk of request) chunks.push(chunk);
	return Buffer.concat(chunks).toString();
}

async function tokenEndpoint(request, response) {
	const text = await body(request);
	const form = request.headers['content-type'] === 'application/json' ? JSON.parse(text) : Object.fromEntries(new URLSearchParams(text));
	const [status, answer, family] = grant(form, request.headers.authorization);
	let reply = [status, { 'Content-Type': 'application/json' }, JSON.stringify(answer)];
	if (family?.delay) await later(family.delay);
	if (family?.fail in REFUSALS) reply = REFUSALS[family.fail]();
	else if (family?.fail in GARBLED && status === 200) reply = GARBLED[family.fail](answer);
	if (family?.lose > 0) {
		family.lose--;
		return request.socket.destroy();
	}
	if (family && status === 200) family.answers++;
	response.writeHead(reply[0], { 'Content-Type': 'application/json', ...reply[1] }).end(reply[2]);
}

const paths = {
	'/new': (query) => newFamily(query),
	'/set': (query) => Object.assign(families.get(query.get('family')), { fail: query.get('fail') ?? '' }) && {},
	'/count': (query) => {
		const { exchanges, answers, reuses, revoked, seen } = families.get(query.get('family'));
		return { exchanges, answers, reuses, revoked: revoked ? 1 : 0, seen: seen.length };
	},
	'/clients': (query) => {
		if (query.has('expires_in')) clients.expiresIn = Number(query.get('expires_in'));
		if (query.has('reset')) clients.exchanges = 0;
		return { exchanges: clients.exchanges, claims: clients.claims ?? null };
	},
	// Whether that access token is one that the family gave out.
	'/good': (query) => ({ good: families.get(query.get('family')).access.includes(query.get('token')) ? 1 : 0 }),
};

async function answer(request, response) {
	const url = new URL(request.url, 'http://localhost');
	if (url.pathname === '/token') return tokenEndpoint(request, response);
	if (url.pathname === '/key') {
		clients.key = await body(request);
		return response.end('{}');
	}
	if (url.pathname === '/revoke') {
		const known = byRefresh.get(new URLSearchParams(await body(request)).get('token'));
		if (known) known.family.revoked = true;
		return response.writeHead(known?.family.fail ? 503 : 200).end();
	}
	if (url.pathname === '/app/access_tokens') {
		const [status, good] = jwtGrant(request.headers.authorization?.replace('Bearer ', '') ?? '');
		const end = new Date(Date.now() + 3600000).toISOString();
		return response.writeHead(status === 200 ? 201 : 401, { 'Content-Type': 'application/json' })
			.end(JSON.stringify(status === 200 ? { token: good.access_token, expires_at: end } : { message: 'no' }));
	}
	if (!paths[url.pathname]) return response.writeHead(404).end();
	response.setHeader('Content-Type', 'application/json').end(JSON.stringify(paths[url.pathname](url.searchParams)));
}

const server = createServer((request, response) => {
	answer(request, response).catch((e) => response.writeHead(500).end(e.message));
});
server.on('connection', (socket) => socket.on('error', () => {}));
server.on('clientError', (_, socket) => socket.destroy());
server.listen(0, '127.0.0.1', () => console.log(server.address().port));
process.stdin.on('end', () => process.exit(0)).resume();
