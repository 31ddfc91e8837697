// The other side of test_net_mail: takes every message, and keeps the last one as it came over the wire in the file `letter`,
// dots and all, and what it was told in the file `told`. Prints "mail port" and then "ready"; ends when its input does.
//
// usage: node mail_server.mjs DIRECTORY
import { appendFileSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:tls';

import { certificates } from './certificates.mjs';

const made = certificates(process.argv[2]);
const { file } = made;
const END = '\r\n.\r\n';

made.ca();
made.signed('good', 'DNS:localhost');

function answer(command) {
	const word = command.slice(0, 4).toUpperCase();
	return { EHLO: '250-here\r\n250 8BITMIME', DATA: '354 go on', QUIT: '221 bye' }[word] ?? '250 yes';
}

// Returns what hasn't ended yet.
function take(socket, text, state) {
	for (;;) {
		const at = text.indexOf(state.data ? END : '\r\n');
		if (at < 0) return text;
		const part = text.slice(0, at);
		text = text.slice(at + (state.data ? END : '\r\n').length);
		if (state.data) {
			writeFileSync(file('letter'), `${part}\r\n`, 'latin1');
			state.data = false;
			socket.write('250 taken\r\n');
			continue;
		}
		appendFileSync(file('told'), `${part}\n`);
		state.data = part === 'DATA';
		socket.write(`${answer(part)}\r\n`);
	}
}

const server = createServer({ key: readFileSync(file('good.key')), cert: readFileSync(file('good.pem')) }, (socket) => {
	const state = { data: false };
	let text = '';

	socket.on('error', () => {});
	socket.on('data', (bytes) => { text = take(socket, text + bytes.toString('latin1'), state); });
	socket.write('220 here\r\n');
});
server.listen(0, '127.0.0.1', () => process.stdout.write(`mail ${server.address().port}\nready\n`));
process.stdin.on('end', () => process.exit(0)).resume();
