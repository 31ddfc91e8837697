# shellcheck shell=bash
# Starting and stopping our own processes, and nobody else's. Sourced, not run.

process_started=$$

# The process that a pidfile names, if it still is what we started: its command line must hold `mark`
# (a path of this instance). A pid that was used again for another program doesn't count.
process_pid() { # pidfile, mark
	local pid
	pid=$(head -c 20 "$1" 2>/dev/null | tr -cd '0-9') || return 1
	[[ -n $pid && -r /proc/$pid/cmdline ]] || return 1
	tr '\0' ' ' < "/proc/$pid/cmdline" 2>/dev/null | grep -qF -- "$2" || return 1
	# A process that died and waits for its parent isn't running.
	[[ $(awk '/^State:/ { print $2 }' "/proc/$pid/status" 2>/dev/null) != Z ]] || return 1
	echo "$pid"
}

# Sends TERM (or the signal given) and waits; KILL after the patience. Quiet when it isn't running.
process_stop() { # name, pidfile, mark, seconds, [signal]
	local name=$1 pidfile=$2 mark=$3 tenths=$(($4 * 10)) pid
	pid=$(process_pid "$pidfile" "$mark") || return 0
	kill -s "${5:-TERM}" "$pid" 2>/dev/null || return 0
	while process_pid "$pidfile" "$mark" >/dev/null && [[ -d /proc/$pid ]]; do
		if ((tenths-- <= 0)); then
			say "$name (pid $pid) did not end in $4 s and is killed."
			kill -s KILL "$pid" 2>/dev/null || true
			break
		fi
		sleep 0.1
	done
	say "$name ended."
}

# Runs a program in the background, in a session of its own, with nothing of our environment. As root,
# under the user given and without any privilege; as somebody else, as that.
process_start() { # user, log, program, arguments...
	local user=$1 log=$2 run=()
	shift 2
	if am_root; then
		run=(setpriv --reuid "$user" --regid "$(id -gn "$user")" --init-groups --no-new-privs
			--inh-caps=-all --ambient-caps=-all --bounding-set=-all --)
	fi
	(
		umask 0077
		ulimit -c 0
		cd /
		exec env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 \
			setsid "${run[@]}" "$@" < /dev/null >> "$log" 2>&1 9>&-
	) &
	process_started=$!
	disown
}

# Waits until a command succeeds; when the process that was started last is gone or the time is over,
# shows the end of the log.
process_wait() { # name, log, seconds, command...
	local name=$1 log=$2 tenths=$(($3 * 10))
	shift 3
	until "$@" >/dev/null 2>&1; do
		if ((tenths-- <= 0)) || ! kill -0 "$process_started" 2>/dev/null; then
			tail -n 15 "$log" >&2 || true
			die "$name did not start." "Its log: $log"
		fi
		sleep 0.1
	done
}
