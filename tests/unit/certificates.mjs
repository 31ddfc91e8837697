// Certificates for servers of a test, made by openssl in a directory of its own.
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';

const NEW_KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-sha256'];

export function certificates(directory) {
	const file = (name) => `${directory}/${name}`;

	function openssl(...args) {
		const { status, stderr } = spawnSync('openssl', args, { encoding: 'utf8' });
		if (status !== 0) throw new Error(stderr);
	}
	return {
		file,
		selfSigned(name, ...extensions) {
			openssl('req', '-x509', ...NEW_KEY, '-days', '2', '-keyout', file(`${name}.key`), '-out', file(`${name}.pem`),
				'-subj', `/CN=${name}`, ...extensions.flatMap((e) => ['-addext', e]));
		},
		// Signed by "ca", which must be there.
		signed(name, names) {
			openssl('req', ...NEW_KEY, '-keyout', file(`${name}.key`), '-out', file(`${name}.csr`), '-subj', `/CN=${name}`);
			writeFileSync(file('extensions'), `subjectAltName=${names}\nbasicConstraints=critical,CA:FALSE\n`);
			openssl('x509', '-req', '-in', file(`${name}.csr`), '-CA', file('ca.pem'), '-CAkey', file('ca.key'), '-CAcreateserial',
				'-days', '2', '-extfile', file('extensions'), '-out', file(`${name}.pem`));
		},
		// A copy of a key that nobody has the passphrase of.
		locked(name, copy) {
			openssl('ec', '-in', file(`${name}.key`), '-aes256', '-passout', 'pass:unknown', '-out', file(`${copy}.key`));
		},
		ca() {
			this.selfSigned('ca', 'basicConstraints=critical,CA:TRUE', 'keyUsage=critical,keyCertSign');
		},
	};
}
