dnl LW_LIBRARY(VARIABLE, PKG-CONFIG MODULES, DEBIAN PACKAGE)
dnl Sets <VARIABLE>_CFLAGS and <VARIABLE>_LIBS, or stops and says what to install.
dnl A library's directories count as the system's, so that our warnings are about our code only.
AC_DEFUN([LW_LIBRARY], [
	PKG_CHECK_MODULES([$1], [$2], [], [AC_MSG_ERROR([
  $2 was not found by pkg-config.
  On Debian: apt-get install $3])])
	$1_CFLAGS=`AS_ECHO(["$$1_CFLAGS"]) | $SED 's/^-I/-isystem /; s/ -I/ -isystem /g'`
])

dnl LW_JQ
dnl Sets JQ_LIBS, or stops and says what to install: libjq has no file for pkg-config.
AC_DEFUN([LW_JQ], [
	AC_SUBST([JQ_CFLAGS], [])
	AC_SUBST([JQ_LIBS], [-ljq])
	lw_saved_LIBS=$LIBS
	LIBS="$LIBS $JQ_LIBS"
	AC_MSG_CHECKING([for libjq])
	AC_LINK_IFELSE([AC_LANG_PROGRAM([[#include <jq.h>]], [[jq_state *jq = jq_init(); return jq == NULL;]])],
		[AC_MSG_RESULT([yes])], [AC_MSG_RESULT([no])
		AC_MSG_ERROR([
  libjq was not found.
  On Debian: apt-get install libjq-dev])])
	LIBS=$lw_saved_LIBS
])

dnl LW_PYTHON_WITH_YAML
dnl The generators in src/gen need an interpreter that has PyYAML.
AC_DEFUN([LW_PYTHON_WITH_YAML], [
	AC_ARG_VAR([PYTHON], [a Python 3 interpreter that has PyYAML])
	AC_MSG_CHECKING([for a Python 3 with PyYAML])
	lw_python=
	for lw_candidate in ${PYTHON%% -B} python3 /usr/bin/python3; do
		AS_IF([test -z "$lw_python" && $lw_candidate -c 'import sys, yaml; sys.exit(sys.version_info < (3, 9))' >&AS_MESSAGE_LOG_FD 2>&1],
			[lw_python=$lw_candidate])
	done
	AS_IF([test -z "$lw_python"], [AC_MSG_RESULT([none])
		AC_MSG_ERROR([
  No Python 3.9 or later that can "import yaml" was found.
  On Debian: apt-get install python3 python3-yaml (or set PYTHON)])])
	dnl -B: no __pycache__ in the source tree.
	PYTHON="$lw_python -B"
	AC_MSG_RESULT([$PYTHON])
])

dnl LW_TRY_CFLAG(VARIABLE, FLAG...), LW_TRY_LDFLAG(VARIABLE, FLAG...)
dnl Add each flag to the variable when a program that is compiled with it has no warning.
AC_DEFUN([LW_TRY_CFLAG], [
	for lw_flag in $2; do
		AC_MSG_CHECKING([whether $CC takes $lw_flag])
		lw_saved_CFLAGS=$CFLAGS
		CFLAGS="$CFLAGS -Werror $lw_flag"
		AC_LINK_IFELSE([AC_LANG_SOURCE([[
			#include <string.h>
			int main(int argc, char **argv) { return argc > 3 ? (int)strlen(argv[1]) : 0; }]])],
			[AC_MSG_RESULT([yes]); $1="$$1 $lw_flag"], [AC_MSG_RESULT([no])])
		CFLAGS=$lw_saved_CFLAGS
	done
])
AC_DEFUN([LW_TRY_LDFLAG], [
	for lw_flag in $2; do
		AC_MSG_CHECKING([whether the linker takes $lw_flag])
		lw_saved_LDFLAGS=$LDFLAGS
		lw_saved_CFLAGS=$CFLAGS
		CFLAGS="$CFLAGS -Werror"
		LDFLAGS="$LDFLAGS $lw_flag"
		AC_LINK_IFELSE([AC_LANG_PROGRAM([], [])],
			[AC_MSG_RESULT([yes]); $1="$$1 $lw_flag"], [AC_MSG_RESULT([no])])
		LDFLAGS=$lw_saved_LDFLAGS
		CFLAGS=$lw_saved_CFLAGS
	done
])

dnl LW_COMPILER_FLAGS
dnl Sets LW_CFLAGS, LW_LDFLAGS and LW_CPPFLAGS from the compiler and the --enable options.
AC_DEFUN([LW_COMPILER_FLAGS], [
	LW_CPPFLAGS=
	LW_CFLAGS="-std=gnu11 -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes dnl
-Wpointer-arith -Wwrite-strings -Wvla -Wformat=2"
	LW_LDFLAGS=
	AS_IF([test "$enable_maintainer" = yes], [
		LW_TRY_CFLAG([LW_CFLAGS], [-Wundef -Wdate-time -Wold-style-definition -Wredundant-decls dnl
-Wnested-externs -Wduplicated-cond -Wlogical-op -Wjump-misses-init dnl
-Wimplicit-fallthrough -Wcast-qual -Walloca])
	])

	LW_TRY_CFLAG([LW_CFLAGS], [-fPIE -fno-common -fno-strict-aliasing])
	LW_TRY_LDFLAG([LW_LDFLAGS], [-pie -Wl,-z,relro -Wl,-z,now -Wl,-z,noexecstack -Wl,--as-needed])
	AS_IF([test "$enable_sanitizers" = yes], [
		LW_CFLAGS="$LW_CFLAGS -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer"
		dnl The sanitizer stands in front of crypt_r: without --no-as-needed the library behind it isn't linked.
		LW_LDFLAGS="$LW_LDFLAGS -Wl,--no-as-needed -fsanitize=address,undefined"
	])
	AS_IF([test "$enable_fuzzers" = yes], [
		AS_IF([$CC --version | grep -q clang], [],
			[AC_MSG_ERROR([--enable-fuzzers needs libFuzzer: configure with CC=clang])])
		LW_CFLAGS="$LW_CFLAGS -fsanitize=fuzzer-no-link"
		FUZZ_ENGINE=-fsanitize=fuzzer
	])
	dnl The sanitizers bring their own checks of the C library's calls.
	AS_IF([test "$enable_sanitizers$enable_fuzzers" = nono], [
		LW_TRY_CFLAG([LW_CFLAGS], [-fstack-protector-strong -fstack-clash-protection dnl
-ftrivial-auto-var-init=zero])
		AS_CASE([$host_cpu],
			[x86_64], [LW_TRY_CFLAG([LW_CFLAGS], [-fcf-protection])],
			[aarch64], [LW_TRY_CFLAG([LW_CFLAGS], [-mbranch-protection=standard])])
		AS_CASE([" $CFLAGS "], [*" -O0 "*], [],
			[LW_CPPFLAGS="-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3"])
	])
	AS_IF([test "$enable_crash_points" = yes],
		[LW_CPPFLAGS="$LW_CPPFLAGS -DLATCHWORK_CRASH_POINTS -DLATCHWORK_FAULTS"])
	dnl Last: a warning in one of the probes above would have looked like a missing feature.
	AS_IF([test "$enable_maintainer" = yes], [LW_CFLAGS="$LW_CFLAGS -Werror"])
	AC_SUBST([LW_CPPFLAGS])
	AC_SUBST([LW_CFLAGS])
	AC_SUBST([LW_LDFLAGS])
])
