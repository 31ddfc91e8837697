// The other side of test_net_http: HTTPS servers that answer well and badly, on ports of their own.
// Prints "<good> <self-signed> <other name> <plain http>" when they listen, and ends when its input does.
//
// usage: node net_server.mjs DIRECTORY   (for ca.pem and the keys)
import { readFileSync } from 'node:fs';
import { createServer as createHttp } from 'node:http';
import { createServer as createHttps } from 'node:https';
import { gzipSync } from 'node:zlib';

import { certificates } from './certificates.mjs';

const made = certificates(process.argv[2]);
const { file } = made;
const seen = [];
let port = {};

// Writes `chunk` again and again, until the other side has had enough.
function endless(response, chunk, pause) {
	const again = () => {
		if (response.destroyed) return;
		if (!response.write(chunk) && !pause) response.once('drain', again);
		else setTimeout(again, pause);
	};
	again();
}

const paths = {
	'/ok': (_, response) => response.setHeader('Content-Type', 'application/json').end('{"ok":true}'),
	'/empty': (_, response) => response.writeHead(204).end(),
	'/teapot': (_, response) => response.writeHead(418, { 'Retry-After': '7' }).end('no'),
	'/later': (_, response) => response.writeHead(429, { 'Retry-After': new Date(Date.now() + 3600e3).toUTCString() }).end(),
	'/past': (_, response) => response.writeHead(429, { 'Retry-After': 'Wed, 21 Oct 2015 07:28:00 GMT' }).end(),
	'/soon': (_, response) => response.writeHead(429, { 'Retry-After': 'soon' }).end(),
	'/told': (_, response) => response.writeHead(200, { 'X-Scopes': 'a, b', 'X-Long': 'x'.repeat(5000) }).end(),
	'/redirect': (_, response) => response.writeHead(302, { Location: `https://127.0.0.1:${port.good}/landed` }).end('moved'),
	'/redirect-file': (_, response) => response.writeHead(302, { Location: 'file:///etc/passwd' }).end(),
	'/huge': (_, response) => endless(response, 'x'.repeat(65536), 0),
	'/announced': (_, response) => {
		response.writeHead(200, { 'Content-Length': 1e12 });
		endless(response, 'x'.repeat(65536), 0);
	},
	'/drip': (_, response) => endless(response, 'x', 50),
	'/hang': () => {},
	'/headers': (request) => {
		request.socket.write('HTTP/1.1 200 OK\r\n');
		endless(request.socket, `X-Filler: ${'x'.repeat(8000)}\r\n`, 0);
	},
	'/interim': (request) => endless(request.socket, `HTTP/1.1 103 Early Hints\r\nLink: <${'x'.repeat(2000)}>\r\n\r\n`, 0),
	'/garbage': (request) => request.socket.end('SSH-2.0-OpenSSH_9.2\r\n'),
	'/cut': (_, response) => {
		response.writeHead(200, { 'Content-Length': 100 });
		response.write('half', () => response.socket.destroy());
	},
	'/pieces': (_, response) => {
		const pieces = ['one ', 'two ', 'three'];
		const next = () => (pieces.length > 1 ? response.write(pieces.shift(), () => setTimeout(next, 30)) : response.end(pieces.shift()));
		response.setHeader('Content-Type', 'text/event-stream');
		next();
	},
	'/refused': (_, response) => response.writeHead(429, { 'Retry-After': '3' }).end('slow down'),
	'/cut-piece': (_, response) => response.write('half', () => response.socket.destroy()),
	'/quiet': (_, response) => void response.write('half'),
	'/nothing': (request) => request.socket.end(),
	'/not-gzip': (_, response) => response.setHeader('Content-Encoding', 'gzip').end('plain'),
	'/gzip': (request, response) => {
		if (!/gzip/.test(request.headers['accept-encoding'] ?? '')) return response.end('plain');
		response.setHeader('Content-Encoding', 'gzip').end(gzipSync('packed'));
	},
	'/bomb': (_, response) => response.setHeader('Content-Encoding', 'gzip').end(gzipSync(Buffer.alloc(1 << 26))),
	'/cookie': (_, response) => response.setHeader('Set-Cookie', 'a=b; Path=/').end('set'),
	'/peer': (request, response) => response.end(String(request.socket.remotePort)),
	'/seen': (_, response) => response.end(seen.join(' ')),
	'/echo': (request, response) => {
		const chunks = [];
		request.on('data', (chunk) => chunks.push(chunk));
		request.on('end', () => response.end(JSON.stringify({
			method: request.method, url: request.url, headers: request.rawHeaders, body: Buffer.concat(chunks).toString(),
		})));
	},
};

function answer(request, response) {
	const path = request.url.split('?')[0];

	seen.push(path);
	request.socket.on('error', () => {});
	if (paths[path]) paths[path](request, response);
	else response.writeHead(404).end();
}

function listen(server) {
	return new Promise((resolve) => {
		server.on('clientError', (_, socket) => socket.destroy());
		server.listen(0, '127.0.0.1', () => resolve(server.address().port));
	});
}

function https(name) {
	return listen(createHttps({ key: readFileSync(file(`${name}.key`)), cert: readFileSync(file(`${name}.pem`)) }, answer));
}

made.ca();
made.selfSigned('self', 'subjectAltName=DNS:localhost,IP:127.0.0.1');
made.signed('good', 'DNS:localhost,DNS:good.example.com,IP:127.0.0.1');
made.signed('other', 'DNS:other.example.com');
port = { good: await https('good'), self: await https('self'), other: await https('other'), plain: await listen(createHttp(answer)) };
console.log(port.good, port.self, port.other, port.plain);
process.stdin.on('end', () => process.exit(0)).resume();
