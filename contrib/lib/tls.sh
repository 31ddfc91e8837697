# shellcheck shell=bash
# A certificate for this machine's own names, from a CA that signs this one and no other. Sourced, not run.

# Makes <directory>/{ca.pem,server.pem,server.key} unless they are there, name the host and are valid
# for another month. The CA's key is thrown away: who trusts ca.pem trusts this certificate only.
tls_make() { # directory, extra host name or ""
	local directory=$1 name=$2 work names=DNS:localhost,IP:127.0.0.1,IP:::1
	if [[ -n $name ]]; then
		names+=,DNS:$name
	fi
	if tls_is_good "$directory" "$name"; then
		return 0
	fi
	step "Making a certificate for ${names//,/, }"
	work=$(mktemp -d)
	(
		umask 0077
		cd "$work"
		openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -sha256 -days 820 \
			-keyout ca.key -out ca.pem -subj "/CN=Latchwork local CA" \
			-addext basicConstraints=critical,CA:TRUE,pathlen:0 -addext keyUsage=critical,keyCertSign
		openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -sha256 \
			-keyout server.key -out server.csr -subj "/CN=${name:-localhost}"
		printf '%s\n' "subjectAltName=$names" basicConstraints=critical,CA:FALSE \
			keyUsage=critical,digitalSignature extendedKeyUsage=serverAuth > extensions
		openssl x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -sha256 -days 820 \
			-extfile extensions -out server.pem
	) > "$work/log" 2>&1 || { cat "$work/log" >&2; rm -rf "$work"; die "openssl could not make a certificate."; }
	install -m 0644 "$work/ca.pem" "$work/server.pem" "$directory/"
	install -m 0400 "$work/server.key" "$directory/"
	rm -rf "$work"
}

tls_is_good() { # directory, extra host name
	[[ -s $1/ca.pem && -s $1/server.pem && -s $1/server.key ]] &&
		openssl x509 -in "$1/server.pem" -noout -checkend $((30 * 86400)) >/dev/null &&
		openssl x509 -in "$1/server.pem" -noout -checkhost "${2:-localhost}" | grep -q 'does match'
}
