# shellcheck shell=bash
# The private MariaDB: its own data directory, a unix socket and no network. Sourced, not run.

database_user() { if am_root; then echo mysql; else id -un; fi; }

# The system's user that the server takes for its administrator over the socket.
database_admin() { if am_root; then echo root; else id -un; fi; }

database_config() { # directory (of data), socket, pidfile
	cat <<-END
		# Written by contrib/quickstart.
		[mariadbd]
		datadir = $1/data
		tmpdir = $1/tmp
		socket = $2
		pid-file = $3
		skip-networking
		# What was answered with success is on disk.
		innodb_flush_log_at_trx_commit = 1
		sync_binlog = 1
		innodb_doublewrite = ON
		sql_mode = STRICT_ALL_TABLES,STRICT_TRANS_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ZERO_DATE,NO_ZERO_IN_DATE,NO_ENGINE_SUBSTITUTION
		character-set-server = utf8mb4
		collation-server = utf8mb4_unicode_ci
		local_infile = 0
		secure_file_priv = $1/files
		general_log = OFF
		slow_query_log = OFF
		performance_schema = OFF
		event_scheduler = OFF
		skip-symbolic-links
		innodb_buffer_pool_size = 256M
		max_connections = 400
		max_allowed_packet = 32M
		# A page of fifty credentials leaves in one piece.
		net_buffer_length = 64K
	END
}

# Runs SQL from standard input as the administrator.
database_sql() { # socket
	mariadb --no-defaults --batch --skip-column-names --socket="$1" --user="$(database_admin)"
}

database_create() { # directory, config, log
	local user options=()
	user=$(database_user)
	directory_make "$1" "$user" "$user" 0755
	directory_make "$1/data" "$user" "$user" 0700
	directory_make "$1/tmp" "$user" "$user" 0700
	directory_make "$1/files" "$user" "$user" 0700
	if [[ -d $1/data/mysql ]]; then
		return 0
	fi
	step "Making a private MariaDB in $1"
	if am_root; then
		options=(--user=mysql --auth-root-authentication-method=socket)
	else
		options=(--auth-root-authentication-method=socket --auth-root-socket-user="$user")
	fi
	mariadb-install-db --defaults-file="$2" "${options[@]}" --skip-test-db --skip-name-resolve --force > "$3" 2>&1 ||
		{ tail -n 15 "$3" >&2; die "mariadb-install-db failed." "Its log: $3"; }
}

database_start() { # config, socket, pidfile, log
	local program
	if process_pid "$3" "--defaults-file=$1" >/dev/null; then
		return 0
	fi
	program=$(PATH=$PATH:/usr/sbin command -v mariadbd)
	process_start "$(database_user)" "$4" "$program" --defaults-file="$1"
	process_wait MariaDB "$4" 60 database_answers "$2"
}

database_answers() { database_sql "$1" <<< 'SELECT 1;'; }

# The database, and one account for each program. The passwords go to the server over its standard
# input: no command line shows them.
database_accounts() { # socket, directory of the password files
	local role
	{
		echo "CREATE DATABASE IF NOT EXISTS latchwork CHARACTER SET utf8mb4;"
		for role in front vault worker ctl; do
			printf "CREATE USER IF NOT EXISTS 'latch_%s'@'localhost';\n" "$role"
			printf "ALTER USER 'latch_%s'@'localhost' IDENTIFIED BY '%s';\n" "$role" "$(<"$2/$role")"
		done
	} | database_sql "$1" || die "MariaDB refused to make the database's accounts."
}
