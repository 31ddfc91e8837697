// The other side of test_net_login: a real PostgreSQL, a real MariaDB, mail servers, and servers that mean no good.
// Prints "name port" lines and then "ready"; a port of 0 is a server that isn't installed. What the false servers saw
// goes to the file `seen`, a line each time. Ends when its input does.
//
// usage: node login_servers.mjs DIRECTORY
import { spawn, spawnSync } from 'node:child_process';
import { appendFileSync, chmodSync, chownSync, copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { createSecureContext, createServer as createTls, TLSSocket } from 'node:tls';

import { freePort } from '../e2e/lib/http.mjs';
import { certificates } from './certificates.mjs';

const directory = process.argv[2];
const made = certificates(directory);
const { file } = made;
const children = [];

process.on('exit', () => children.forEach((child) => child.kill('SIGKILL')));
chmodSync(directory, 0o755);
made.ca();
made.signed('carol', 'DNS:carol');
made.locked('carol', 'locked');
made.signed('good', 'DNS:db.example.com,DNS:localhost');
made.selfSigned('self', 'subjectAltName=DNS:db.example.com');

const keys = (name) => ({ key: readFileSync(file(`${name}.key`)), cert: readFileSync(file(`${name}.pem`)) });
const saw = (what) => appendFileSync(file('seen'), `${what}\n`);

function listen(server) {
	return new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(server.address().port)));
}

function fake(handler) {
	return listen(createServer((socket) => {
		socket.on('error', () => {});
		handler(socket);
	}));
}

// --- real servers -----------------------------------------------------------------

// Neither of them runs as root.
function account(name) {
	if (process.getuid() !== 0) return {};
	const line = readFileSync('/etc/passwd', 'utf8').split('\n').find((l) => l.startsWith(`${name}:`));
	const [, , uid, gid] = line.split(':');
	return { uid: Number(uid), gid: Number(gid) };
}

function run(command, args, options) {
	const { status, stderr, stdout, error } = spawnSync(command, args, { encoding: 'utf8', ...options });
	if (status !== 0) throw new Error(`${command}: ${error ?? stderr + stdout}`);
}

function ownDirectory(name, owner) {
	mkdirSync(file(name));
	for (const part of ['good.key', 'good.pem', 'ca.pem']) {
		copyFileSync(file(part), file(`${name}/${part}`));
		chmodSync(file(`${name}/${part}`), 0o600);
		if (owner.uid) chownSync(file(`${name}/${part}`), owner.uid, owner.gid);
	}
	if (owner.uid) chownSync(file(name), owner.uid, owner.gid);
	return file(name);
}

async function until(what, check) {
	for (let i = 0; i < 2400; i++) {
		if (check()) return;
		await new Promise((resolve) => setTimeout(resolve, 50));
	}
	throw new Error(`${what} did not start`);
}

async function postgresql() {
	const base = '/usr/lib/postgresql';
	const version = existsSync(base) ? readdirSync(base).filter((v) => existsSync(`${base}/${v}/bin/initdb`)).sort().pop() : null;
	if (!version) return 0;
	const bin = `${base}/${version}/bin`;
	const owner = account('postgres');
	const home = ownDirectory('postgresql', owner);
	const options = { ...owner, cwd: home, env: { PATH: '/usr/bin:/bin', LC_ALL: 'C' } };
	const port = await freePort();

	run(`${bin}/initdb`, ['-D', `${home}/data`, '-U', 'admin', '-A', 'trust', '--no-sync', '-E', 'UTF8', '--locale=C'], options);
	writeFileSync(`${home}/data/pg_hba.conf`, [
		'local all all trust',
		'hostssl all reader 127.0.0.1/32 scram-sha-256',
		'hostssl all carol 127.0.0.1/32 cert',
		'hostssl all clear 127.0.0.1/32 password',
		'hostnossl all all 127.0.0.1/32 trust',
	].join('\n') + '\n');
	children.push(spawn(`${bin}/postgres`, ['-D', `${home}/data`, '-p', port, '-k', home, '-c', 'listen_addresses=127.0.0.1', '-c', 'ssl=on',
		'-c', `ssl_cert_file=${home}/good.pem`, '-c', `ssl_key_file=${home}/good.key`, '-c', `ssl_ca_file=${home}/ca.pem`, '-c', 'fsync=off', '-c', 'shared_buffers=16MB',
		'-c', 'max_connections=20'], { ...options, stdio: 'ignore' }));
	const psql = (sql) => spawnSync(`${bin}/psql`, ['-h', home, '-p', port, '-U', 'admin', '-d', 'postgres', '-v', 'ON_ERROR_STOP=1', '-c', sql], options).status === 0;
	await until('PostgreSQL', () => psql('select 1'));
	for (const sql of ["create role reader login password 'good'", "create role clear login password 'good'", 'create role carol login', 'create database shop',
		'create database closed', 'revoke connect on database closed from public'])
		if (!psql(sql)) throw new Error(sql);
	return port;
}

async function mariadb() {
	if (!existsSync('/usr/sbin/mariadbd') || !existsSync('/usr/bin/mariadb-install-db')) return 0;
	const owner = account('mysql');
	const home = ownDirectory('mariadb', owner);
	const options = { ...owner, cwd: home, env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' } };
	const port = await freePort();

	run('mariadb-install-db', ['--no-defaults', `--datadir=${home}/data`, `--tmpdir=${home}`, '--skip-test-db', '--force', '--auth-root-authentication-method=normal'], options);
	children.push(spawn('mariadbd', ['--no-defaults', `--datadir=${home}/data`, `--socket=${home}/socket`, `--port=${port}`, '--bind-address=127.0.0.1',
		`--tmpdir=${home}`, `--ssl-cert=${home}/good.pem`, `--ssl-key=${home}/good.key`, `--ssl-ca=${home}/ca.pem`, '--innodb-buffer-pool-size=16M',
		'--innodb-log-file-size=8M', '--skip-name-resolve'], { ...options, stdio: 'ignore' }));
	const sql = (text) => spawnSync('mariadb', ['--no-defaults', `--socket=${home}/socket`, '-u', 'root', '-e', text], options).status === 0;
	await until('MariaDB', () => sql('select 1'));
	if (!sql("create database shop; create database closed; create user reader@'%' identified by 'good'; grant select on shop.* to reader@'%'; create user carol@'%' identified by 'good' require subject '/CN=carol'; grant select on shop.* to carol@'%'"))
		throw new Error('MariaDB refuses its users');
	return port;
}

// --- false MySQL servers ------------------------------------------------------------

const packet = (sequence, body) => Buffer.concat([Buffer.from([body.length & 255, body.length >> 8 & 255, body.length >> 16, sequence]), body]);
const SSL = 0x800;

function greeting(capabilities, plugin = 'mysql_native_password') {
	const flags = Buffer.alloc(4);
	flags.writeUInt32LE((0x000fa605 & ~SSL) | capabilities);
	return packet(0, Buffer.concat([Buffer.from('\x0a8.0.1\0'), Buffer.from([1, 0, 0, 0]), Buffer.from('saltsalt\0'), flags.subarray(0, 2),
		Buffer.from([33, 2, 0]), flags.subarray(2, 4), Buffer.from([21]), Buffer.alloc(10), Buffer.from('saltsaltsalt\0'), Buffer.from(`${plugin}\0`)]));
}

// After the SSLRequest: TLS, then `next(socket, packet)` for each packet of the client.
function mysqlTls(next, name = 'good') {
	return (socket) => {
		socket.write(greeting(SSL));
		socket.once('data', () => {
			const tls = new TLSSocket(socket, { isServer: true, secureContext: createSecureContext(keys(name)) });
			tls.on('error', () => {});
			tls.on('data', (data) => next(tls, data));
		});
	};
}

function flood(socket, chunk) {
	const again = () => {
		while (!socket.destroyed && socket.write(chunk));
	};
	if (socket.listenerCount('drain') > 0) return;
	socket.on('drain', again);
	again();
}

const OK = Buffer.from([0, 0, 0, 2, 0, 0, 0]);
const text = (s) => Buffer.concat([Buffer.from([s.length]), Buffer.from(s)]);
const column = () => Buffer.concat([text('def'), text(''), text(''), text(''), text('x'.repeat(200)), text(''), Buffer.from([12, 33, 0, 0, 1, 0, 0, 253, 0, 0, 0, 0, 0])]);

const mysqlPlain = (socket) => {
	socket.write(greeting(0));
	socket.on('data', (data) => saw(`mysql_plain ${data.length}`));
};

function mysqlInfile() {
	let step = 0;
	return mysqlTls((tls, data) => {
		step++;
		if (step === 1) tls.write(packet(data[3] + 1, OK));
		else if (step === 2) tls.write(packet(1, Buffer.from('\xfb/etc/passwd', 'latin1')));
		else if (data.includes('root:')) saw('mysql_infile got the file');
	});
}

function mysqlClear() {
	let step = 0;
	return mysqlTls((tls, data) => {
		if (++step === 1) tls.write(packet(data[3] + 1, Buffer.from('\xfemysql_clear_password\0', 'latin1')));
		else if (data.includes('good')) saw('mysql_clear got the password');
	});
}

const mysqlSwitches = mysqlTls((tls) => flood(tls, Buffer.concat(Array.from({ length: 64 }, (_, i) =>
	packet(i + 3, Buffer.from('\xfemysql_native_password\0saltsaltsaltsaltsalt\0', 'latin1'))))));

function mysqlColumns() {
	let step = 0;
	return mysqlTls((tls, data) => {
		if (++step === 1) return tls.write(packet(data[3] + 1, OK));
		tls.write(packet(1, Buffer.from([0xfc, 0xff, 0xff])));
		flood(tls, Buffer.concat(Array.from({ length: 256 }, (_, i) => packet((i + 2) & 255, column()))));
	});
}

const drip = (bytes) => (socket) => {
	let at = 0;
	const timer = setInterval(() => (socket.destroyed ? clearInterval(timer) : socket.write(bytes.subarray(at % bytes.length, at++ % bytes.length + 1))), 30);
};

// --- false PostgreSQL servers ----------------------------------------------------------

const message = (type, body) => {
	const head = Buffer.alloc(5);
	head.write(type);
	head.writeUInt32BE(body.length + 4, 1);
	return Buffer.concat([head, body]);
};

const pgPlain = (socket) => socket.on('data', (data) => {
	if (data.length === 8) socket.write('N');
	else saw(`pg_plain ${data.length}`);
});

function pgTls(next, name = 'good') {
	return (socket) => socket.once('data', () => {
		socket.write('S');
		const tls = new TLSSocket(socket, { isServer: true, secureContext: createSecureContext(keys(name)) });
		tls.on('error', () => {});
		tls.on('data', (data) => next(tls, data));
	});
}

const pgNotices = pgTls((tls) => flood(tls, Buffer.concat(Array.from({ length: 64 }, () => message('N', Buffer.from(`SNOTICE\0M${'x'.repeat(500)}\0\0`))))));
const pgEvil = pgTls((tls) => tls.write(message('E', Buffer.from('SFATAL\0VFATAL\0C28P01\0M<script>alert(1)</script> secret-of-server\0\0'))));
const READY = Buffer.concat([message('R', Buffer.alloc(4)), message('Z', Buffer.from('I'))]);
function pgHuge() {
	let step = 0;
	return pgTls((tls) => {
		if (++step === 1) return tls.write(READY);
		const head = Buffer.alloc(5);
		head.write('D');
		head.writeUInt32BE(0x3fffffff, 1);
		tls.write(message('T', Buffer.concat([Buffer.from([0, 1]), Buffer.from('a\0'), Buffer.alloc(18)])));
		tls.write(head);
		flood(tls, Buffer.alloc(65536, 120));
	});
}

// --- mail servers --------------------------------------------------------------------------

function smtp({ starttls = false, offer = true, auth = true, name = 'good' } = {}) {
	const context = () => createSecureContext(keys(name));
	const talk = (socket, secure, greet = true) => {
		let rest = '';
		let expect = null;
		socket.on('error', () => {});
		socket.on('data', (data) => {
			rest += data.toString('latin1');
			for (let end; (end = rest.indexOf('\r\n')) >= 0;) {
				const line = rest.slice(0, end);
				rest = rest.slice(end + 2);
				answer(line);
			}
		});
		const check = (encoded) => {
			const [, user, password] = Buffer.from(encoded, 'base64').toString().split('\0');
			if (!secure) saw('smtp password in the clear');
			socket.write(user === 'reader' && password === 'good' ? '235 2.7.0 ok\r\n' : '535 5.7.8 no\r\n');
		};
		function answer(line) {
			if (expect) return check(line, (expect = null));
			if (/^EHLO/i.test(line)) {
				const lines = ['hello', ...(starttls && offer && !secure ? ['STARTTLS'] : []), ...(auth && (secure || !offer) ? ['AUTH PLAIN LOGIN'] : []), 'SIZE 1000'];
				socket.write(lines.map((l, i) => `250${i === lines.length - 1 ? ' ' : '-'}${l}\r\n`).join(''));
			} else if (/^STARTTLS/i.test(line) && offer) {
				socket.write('220 go\r\n');
				socket.removeAllListeners('data');
				talk(new TLSSocket(socket, { isServer: true, secureContext: context() }), true, false);
			} else if (/^AUTH PLAIN (.+)/i.test(line)) check(line.slice(11));
			else if (/^AUTH PLAIN/i.test(line)) {
				expect = true;
				socket.write('334 \r\n');
			} else if (/^NOOP/i.test(line)) socket.write('250 fine\r\n');
			else if (/^QUIT/i.test(line)) socket.end('221 bye\r\n');
			else {
				saw(`smtp ${line.split(' ')[0]}`);
				socket.write('502 no\r\n');
			}
		}
		if (greet) socket.write('220 mail\r\n');
	};
	if (starttls) return fake((socket) => talk(socket, false));
	return listen(createTls(keys(name), (socket) => talk(socket, true)).on('tlsClientError', () => {}));
}

// --- all of them -------------------------------------------------------------------------------

const ports = {
	postgresql: await postgresql(),
	mariadb: await mariadb(),
	mysql_plain: await fake(mysqlPlain),
	mysql_infile: await fake((socket) => mysqlInfile()(socket)),
	mysql_clear: await fake((socket) => mysqlClear()(socket)),
	mysql_self: await fake(mysqlTls(() => saw('mysql_self'), 'self')),
	mysql_switches: await fake(mysqlSwitches),
	mysql_columns: await fake((socket) => mysqlColumns()(socket)),
	mysql_drip: await fake(drip(greeting(SSL))),
	pg_plain: await fake(pgPlain),
	pg_self: await fake(pgTls(() => saw('pg_self'), 'self')),
	pg_notices: await fake(pgNotices),
	pg_evil: await fake(pgEvil),
	pg_huge: await fake((socket) => pgHuge()(socket)),
	silent: await fake(() => {}),
	noise: await fake((socket) => socket.write('SSH-2.0-OpenSSH_9.2\r\n')),
	sink: await fake(() => saw('sink')),
	smtp_tls: await smtp(),
	smtp_starttls: await smtp({ starttls: true }),
	smtp_stripped: await smtp({ starttls: true, offer: false }),
	smtp_self: await smtp({ name: 'self' }),
	smtp_no_auth: await smtp({ auth: false }),
};
writeFileSync(file('seen'), '');
for (const [name, port] of Object.entries(ports)) console.log(name, port);
console.log('ready 0');
process.stdin.on('end', () => process.exit(0)).resume();
