# shellcheck shell=bash disable=SC2034 # the lists are used by who sources this
# Words for the person at the terminal. Sourced, not run.

if [[ -t 2 ]]; then
	say_bold=$'\e[1m' say_dim=$'\e[2m' say_red=$'\e[31m' say_off=$'\e[0m'
else
	say_bold='' say_dim='' say_red='' say_off=''
fi

step() { printf '%s==>%s %s\n' "$say_bold" "$say_off" "$*" >&2; }
say() { printf '    %s\n' "$*" >&2; }
hint() { printf '    %s%s%s\n' "$say_dim" "$*" "$say_off" >&2; }

# Says what is wrong, then what helps (one line an argument), and leaves.
die() {
	printf '%s%s: %s%s\n' "$say_red" "${0##*/}" "$1" "$say_off" >&2
	shift
	local line
	for line in "$@"; do
		printf '    %s\n' "$line" >&2
	done
	exit 1
}

am_root() { [[ $EUID -eq 0 ]]; }
