# shellcheck shell=bash
# The system's users, and the files that only some of them may read. Sourced, not run.
#
#	latch-front   the front pool: reads the front's keys and its own database password
#	latch-vault   the vault pool and the worker: reads all keys; a member of the group latch-front
#	latch-expr    latch-expr: reads the configuration and owns its socket, nothing else
#	mysql         the private MariaDB
#	www-data      nginx

account_make() { # user
	getent group "$1" >/dev/null || groupadd --system "$1"
	getent passwd "$1" >/dev/null ||
		useradd --system --gid "$1" --home-dir /nonexistent --no-create-home --shell /usr/sbin/nologin "$1"
}

accounts_make() {
	am_root || return 0
	account_make latch-front
	account_make latch-vault
	account_make latch-expr
	account_make mysql
	account_make www-data
	id -nG latch-vault | grep -qw latch-front || usermod --append --groups latch-front latch-vault
}

# A directory with owner, group and mode. Without root the caller owns all of it.
directory_make() { # path, owner, group, mode
	mkdir -p "$1"
	if am_root; then
		chown "$2:$3" "$1"
		chmod "$4" "$1"
	else
		chmod 0700 "$1"
	fi
}

# Gives a secret file its reader: root owns it, one group may read it.
secret_file_own() { # path, group or "" for root alone
	if am_root && [[ -n $2 ]]; then
		chown "root:$2" "$1"
		chmod 0440 "$1"
	else
		chmod 0400 "$1"
	fi
}

# Writes a random password of 192 bits, unless there is one.
password_make() { # path, group
	if [[ ! -s $1 ]]; then
		(umask 0377 && head -c 24 /dev/urandom | base64 | tr -d '\n' | tr '+/' '-_' > "$1.new")
		mv "$1.new" "$1"
	fi
	secret_file_own "$1" "$2"
}
