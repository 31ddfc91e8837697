# shellcheck shell=bash disable=SC2034 # the lists are used by who sources this
# Debian packages: finds out which are missing and installs those only. Sourced, not run.

# A library is asked for by its package, a tool by its command ("package:command"), so that a tool
# that came another way is taken as well.
packages_build=(
	gcc:gcc make:make autoconf:autoreconf automake:automake pkg-config:pkg-config xz-utils:xz
	libc6-dev libfcgi-dev libmariadb-dev nettle-dev libgnutls28-dev libjansson-dev libjwt-gnutls-dev libargon2-dev
	libcrypt-dev libcurl4-gnutls-dev zlib1g-dev libpq-dev libinih-dev libjq-dev libxml2-dev libseccomp-dev
	libcmocka-dev python3:python3 python3-yaml
)
packages_run=(
	mariadb-server-core:mariadbd mariadb-client-core:mariadb nginx:nginx libnginx-mod-nchan openssl:openssl curl:curl jq:jq
	util-linux:setpriv ca-certificates tzdata poppler-utils:pdftotext
)
packages_docs=(npm:npm)
# PostgreSQL keeps its server out of the PATH: what Debian 12 calls it.
packages_test=(
	nodejs:node npm:npm mariadb-client:mariadb-dump procps:ps
	chromium:chromium postgresql-15:/usr/lib/postgresql/15/bin/postgres postgresql-client-15:psql
)
packages_lint=(clang-tidy:clang-tidy cppcheck:cppcheck shellcheck:shellcheck)

package_missing() { # package or package:command
	local package=${1%%:*} command=${1##*:}
	if [[ $1 == *:* ]] && PATH=$PATH:/usr/sbin:/sbin command -v "$command" >/dev/null; then
		return 1
	fi
	[[ $(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) != installed ]]
}

# Makes sure that all are there; `what` names the reason in the messages.
packages_need() { # what, package...
	local what=$1 entry missing=()
	shift
	if ! command -v dpkg-query >/dev/null; then
		say "This isn't Debian: $what needs what these packages hold: ${*%%:*}"
		return 0
	fi
	for entry in "$@"; do
		if package_missing "$entry"; then
			missing+=("${entry%%:*}")
		fi
	done
	if [[ ${#missing[@]} -eq 0 ]]; then
		return 0
	fi
	if ! am_root; then
		die "$what needs packages that aren't installed, and only root can install them." \
			"As root: apt-get install --no-install-recommends ${missing[*]}" "Then run this again."
	fi
	packages_install "$what" "${missing[@]}"
}

packages_install() { # what, package...
	local what=$1 policy=/usr/sbin/policy-rc.d made_policy='' failed=''
	shift
	step "Installing for $what: $*"
	# The packages' own services stay off: we start private ones.
	if [[ ! -e $policy ]]; then
		printf '#!/bin/sh\nexit 101\n' > "$policy"
		chmod 755 "$policy"
		made_policy=yes
	fi
	# --no-remove: rather stop than take away what something else on this machine needs.
	packages_apt "$@" || failed=yes
	if [[ $made_policy ]]; then
		rm -f "$policy"
	fi
	if [[ $failed ]]; then
		die "apt-get could not install: $*" \
			"Is there a network, and does /etc/apt/sources.list name a Debian 12 mirror?" \
			"If apt-get wanted to remove something, decide by hand: apt-get install $*"
	fi
}

packages_apt() {
	local options=(-y --no-install-recommends --no-remove -o Dpkg::Use-Pty=0 -qq) words
	export DEBIAN_FRONTEND=noninteractive
	# Without the latest lists yesterday's packages would be installed; without a network they must do.
	apt-get update -qq > /dev/null 2>&1 || say "The lists of packages could not be brought up to date."
	words=$(apt-get install "${options[@]}" "$@" 2>&1) && return 0
	tail -n 20 <<< "$words" >&2
	return 1
}
