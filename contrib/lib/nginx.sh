# shellcheck shell=bash
# nginx: its configuration from the templates. Sourced, not run.

# Replaces @NAME@ in a template by the value of each NAME=value argument; a name that is left over
# is an error, because nginx would take it for text.
template_render() { # template, output, NAME=value...
	local template=$1 output=$2 pair text
	shift 2
	text=$(<"$template")
	for pair in "$@"; do
		text=${text//"@${pair%%=*}@"/"${pair#*=}"}
	done
	if grep -qE '@[A-Z_]+@' <<<"$text"; then
		echo "$template: no value for $(grep -oE '@[A-Z_]+@' <<<"$text" | sort -u | tr '\n' ' ')" >&2
		return 1
	fi
	printf '%s\n' "$text" > "$output"
}

# The lines that listen: 127.0.0.1 means the loopback of both families, 0.0.0.0 every address.
nginx_listen_lines() { # address, port, extra words
	local address=$1 port=$2 extra=$3
	printf 'listen %s:%s ssl http2%s;' "$address" "$port" "$extra"
	if grep -qs '^0\{31\}1 ' /proc/net/if_inet6; then
		case $address in
		127.0.0.1) printf '\n\tlisten [::1]:%s ssl http2%s;' "$port" "$extra" ;;
		0.0.0.0) printf '\n\tlisten [::]:%s ssl http2%s;' "$port" "$extra" ;;
		esac
	fi
}

# Writes the whole configuration into a directory. Needs: the sources' conf/nginx, pools.conf, and
# NAME=value for ADDRESS PORT SERVER_NAME USER RUN LOG TEMP FRONT_SOCKET VAULT_SOCKET QUICK_SOCKET TLS_CERTIFICATE
# TLS_KEY DOCS. USER is empty when the caller isn't root.
nginx_render() { # sources, pools.conf, directory, NAME=value...
	local sources=$1 pools=$2 directory=$3 pair
	local -A value=()
	shift 3
	for pair in "$@"; do
		value[${pair%%=*}]=${pair#*=}
	done
	mkdir -p "$directory"
	cp "$sources"/{earlier-paths,fastcgi-params,headers,metrics-params,problems}.conf "$pools" "$directory/"
	template_render "$sources/nginx.conf.in" "$directory/nginx.conf" "$@" \
		"USER_LINE=${value[USER]:+user ${value[USER]};}"
	template_render "$sources/latchwork.conf.in" "$directory/latchwork.conf" "$@" \
		"LISTEN=$(nginx_listen_lines "${value[ADDRESS]}" "${value[PORT]}" '')" \
		"LISTEN_DEFAULT=$(nginx_listen_lines "${value[ADDRESS]}" "${value[PORT]}" ' default_server')"
}
