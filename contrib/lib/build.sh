# shellcheck shell=bash
# Building outside of the clone, which stays clean. Sourced, not run.

build_parts=(configure.ac Makefile.am src conf sql tests contrib)

# Brings a copy of the sources up to date: only what changed is written, so that make stays quick.
build_copy_sources() { # sources, copy
	local sources=$1 copy=$2 parts=() part file
	mkdir -p "$copy"
	for part in "${build_parts[@]}" LICENSE README.md .clang-format .clang-tidy; do
		if [[ -e $sources/$part ]]; then
			parts+=("$part")
		fi
	done
	# What the clone no longer has would still be found by the generators.
	while IFS= read -r -d '' file; do
		if [[ ! -e $sources/$file ]]; then
			rm -f "$copy/$file"
		fi
	done < <(cd "$copy" && find . -mindepth 2 \( -path ./autom4te.cache -o -path ./build-aux -o -name node_modules \) \
		-prune -o -type f -print0)
	tar -C "$sources" --exclude=node_modules --exclude=__pycache__ --exclude=.deps --exclude='*.o' --exclude='*.a' \
		-cf - "${parts[@]}" | tar -C "$copy" --keep-newer-files --warning=none --no-same-owner -xf -
}

# Configures (when the options changed), makes and installs into <build>/inst.
build_tree() { # sources, build, configure options...
	local sources=$1 build=$2 log=$2/build.log wanted
	shift 2
	mkdir -p "$build"
	(
		umask 022
		build_copy_sources "$sources" "$build/src"
		wanted="$* $(sha256sum "$build/src/configure.ac" "$build"/src/contrib/m4/*.m4 | sha256sum)"
		cd "$build"
		: > "$log"
		if [[ ! -f .configured || $(<.configured) != "$wanted" ]]; then
			rm -f .configured
			(cd src && autoreconf -fi) >> "$log" 2>&1
			mkdir -p obj
			(cd obj && ../src/configure --prefix="$build/inst" --sysconfdir="$build/inst/etc" "$@") >> "$log" 2>&1
			echo "$wanted" > .configured
		fi
		make -C obj -j"$(nproc)" >> "$log" 2>&1
		make -C obj install >> "$log" 2>&1
	) || {
		tail -n 30 "$log" >&2
		die "The build failed." "All of its words: $log"
	}
}
