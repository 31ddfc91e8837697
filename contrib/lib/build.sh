# shellcheck shell=bash
# Building outside of the clone, which stays clean. Sourced, not run.

build_parts=(configure.ac Makefile.am src conf sql tests contrib LICENSE README.md .clang-format .clang-tidy)

# Every source file with its checksum, sorted; what tools leave in a tree isn't source.
build_list() { # directory
	(
		cd "$1" || exit 1
		find "${build_parts[@]}" \( -name node_modules -o -name __pycache__ -o -name .deps \) -prune -o \
			-type f ! -name '*.o' ! -name '*.a' ! -name .dirstamp -print0 2>/dev/null | xargs -0r sha256sum | LC_ALL=C sort
	)
}

# Makes the copy the same as the sources. Content decides, not time: a file is written only when it
# differs, so that make stays quick, and an older clone doesn't leave newer files standing.
build_copy_sources() { # sources, copy
	local sources=$1 copy=$2 file
	mkdir -p "$copy"
	build_list "$sources" > "$copy/.sources"
	build_list "$copy" > "$copy/.copied"
	LC_ALL=C comm -13 "$copy/.sources" "$copy/.copied" | cut -c67- | while IFS= read -r file; do
		rm -f "$copy/$file"
	done
	LC_ALL=C comm -23 "$copy/.sources" "$copy/.copied" | cut -c67- |
		tar -C "$sources" -cf - -T - | tar -C "$copy" --touch --no-same-owner -xf -
}

# Configures (when the options changed), makes and installs into <build>/inst.
build_tree() { # sources, build, configure options...
	local sources=$1 build=$2 log=$2/build.log wanted
	shift 2
	mkdir -p "$build"
	# `|| exit`: behind the `||` at the end, errexit is off.
	(
		umask 022
		build_copy_sources "$sources" "$build/src" || exit 1
		wanted="$* $(sha256sum "$build/src/configure.ac" "$build"/src/contrib/m4/*.m4 | sha256sum)"
		cd "$build" || exit 1
		: > "$log"
		if [[ ! -f .configured || $(<.configured) != "$wanted" ]]; then
			rm -f .configured
			mkdir -p obj
			(cd src && autoreconf -fi) >> "$log" 2>&1 || exit 1
			(cd obj && ../src/configure --prefix="$build/inst" --sysconfdir="$build/inst/etc" "$@") >> "$log" 2>&1 || exit 1
			echo "$wanted" > .configured
		fi
		make -C obj -j"$(nproc)" >> "$log" 2>&1 && make -C obj install >> "$log" 2>&1
	) || {
		tail -n 30 "$log" >&2
		die "The build failed." "All of its words: $log"
	}
}
