/* What the tests of src/crypt share: short ways to write bytes, secrets and vectors. */
#ifndef LW_TESTS_CRYPT_SUPPORT_H
#define LW_TESTS_CRYPT_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/secret.h"
#include "base/str.h"
#include "crypt/encode.h"

/* A secret of a C string's characters. */
static inline struct secret secret_of(const char *text)
{
	struct secret secret;

	assert_int_equal(secret_copy(text, strlen(text), &secret), OK);
	return secret;
}

/* A secret of hex digits. */
static inline struct secret secret_of_hex(const char *hex)
{
	struct secret secret;

	assert_int_equal(secret_new(strlen(hex) / 2, &secret), OK);
	assert_true(hex_decode_to(str_of(hex), secret.p, secret.n));
	return secret;
}

static inline void assert_bytes(const void *bytes, size_t n, const char *hex)
{
	struct secret expected = secret_of_hex(hex);

	assert_int_equal(n, expected.n);
	if (n > 0)
		assert_memory_equal(bytes, expected.p, n);
	secret_done(&expected);
}

static inline void assert_text(struct str text, const char *expected)
{
	assert_int_equal(text.n, strlen(expected));
	if (text.n > 0)
		assert_memory_equal(text.p, expected, text.n);
}

#endif
