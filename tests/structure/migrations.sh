#!/bin/sh
# A migration that was renamed or removed is in no build and in no installation any more.
set -eu
unset MAKEFLAGS MFLAGS
cd "$top_builddir"
value() { sed -n "s|^$1 = ||p" Makefile | head -n 1; }
source=$(value srcdir)
prefix=$(value prefix)
to=$(mktemp -d)
trap 'rm -rf "$to"' EXIT

for directory in migrations statements; do
	if ! make -n -W "$source/sql/$directory" src/store/statements.stamp | grep -q sqlgen.py; then
		echo "make doesn't look whether a file of sql/$directory is gone"
		exit 1
	fi
done

installed=$to$prefix/share/latchwork/sql/migrations
mkdir -p "$installed"
echo 'CREATE TABLE gone (a INT);' > "$installed/0001_renamed.sql"
make -s install-dist_sqlmigrationsDATA install-data-hook DESTDIR="$to" > "$to/log" 2>&1 || { cat "$to/log"; exit 1; }
if ! diff -r "$top_srcdir/sql/migrations" "$installed"; then
	echo "make install leaves other migrations than there are"
	exit 1
fi
