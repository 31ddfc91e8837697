/*
 * The growing buffer. Growth is a new allocation, a copy and a wipe of the old
 * memory: realloc would leave the old bytes behind.
 */
#include "base/buf.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/secret.h"

enum {
	FIRST_SIZE = 256,
	KEPT_SIZE = 256 << 10 /* a worker that once sent 16 MiB doesn't hold them for ever */
};

void buf_init(struct buf *buf, size_t max_bytes) { *buf = (struct buf){ .max = max_bytes }; }

void buf_done(struct buf *buf)
{
	if (!buf)
		return;
	if (buf->p) {
		wipe(buf->p, buf->touched);
		free(buf->p);
	}
	buf_init(buf, buf->max);
}

void buf_clear(struct buf *buf)
{
	if (buf->capacity > KEPT_SIZE) {
		buf_done(buf);
		return;
	}
	if (buf->p)
		wipe(buf->p, buf->touched);
	buf->n = 0;
	buf->touched = 0;
	buf->error = OK;
}

/* The next capacity that holds `need` bytes: doubled, so that many small additions cost little. */
static size_t grown(const struct buf *buf, size_t need)
{
	size_t size = buf->capacity ? buf->capacity : FIRST_SIZE;

	while (size < need && size <= SIZE_MAX / 2)
		size *= 2;
	if (size < need)
		size = need;
	return size < buf->max ? size : buf->max;
}

static bool grow(struct buf *buf, size_t n)
{
	if (buf->error != OK)
		return false;
	if (n > buf->max - buf->n) {
		buf->error = ERR_TOO_BIG;
		return false;
	}
	size_t size = grown(buf, buf->n + n);
	char *p = malloc(size ? size : 1);
	if (!p) {
		buf->error = ERR_NO_MEMORY;
		return false;
	}
	if (buf->p) {
		memcpy(p, buf->p, buf->n);
		wipe(buf->p, buf->touched);
		free(buf->p);
	}
	buf->p = p;
	buf->capacity = size;
	buf->touched = buf->n;
	return true;
}

/* Answers are written in many small pieces: that there is room must cost next to nothing. */
static inline bool make_room(struct buf *buf, size_t n)
{
	if (buf->p && buf->error == OK && n <= buf->capacity - buf->n && n <= buf->max - buf->n)
		return true;
	return grow(buf, n);
}

static inline void count(struct buf *buf, size_t n)
{
	buf->n += n;
	if (buf->n > buf->touched)
		buf->touched = buf->n;
}

void buf_add(struct buf *buf, const void *bytes, size_t n)
{
	if (n == 0 || !make_room(buf, n))
		return;
	memcpy(buf->p + buf->n, bytes, n);
	count(buf, n);
}

void buf_add_str(struct buf *buf, struct str s) { buf_add(buf, s.p, s.n); }

void buf_add_c(struct buf *buf, const char *c_string) { buf_add(buf, c_string, strlen(c_string)); }

void buf_add_char(struct buf *buf, char c)
{
	if (!make_room(buf, 1))
		return;
	buf->p[buf->n] = c;
	count(buf, 1);
}

static bool is_unreserved(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
	       c == '_' || c == '~';
}

void buf_add_percent(struct buf *buf, struct str s)
{
	static const char DIGITS[] = "0123456789ABCDEF";

	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (is_unreserved(s.p[i]))
			buf_add_char(buf, s.p[i]);
		else
			buf_add(buf, (const char[]){ '%', DIGITS[c >> 4], DIGITS[c & 15] }, 3);
	}
}

void buf_printf(struct buf *buf, const char *format, ...)
{
	char small[256];
	va_list args;

	if (buf->error != OK)
		return;
	va_start(args, format);
	int n = vsnprintf(small, sizeof(small), format, args);
	va_end(args);
	if (n < 0) {
		buf->error = ERR_TOO_BIG;
		return;
	}
	if ((size_t)n < sizeof(small)) {
		buf_add(buf, small, (size_t)n);
		wipe(small, (size_t)n);
		return;
	}
	wipe(small, sizeof(small));
	/* vsnprintf wants a place for its NUL, which doesn't count: lift the cap by one byte. */
	size_t max = buf->max;
	if ((size_t)n > max - buf->n) {
		buf->error = ERR_TOO_BIG;
		return;
	}
	if (max < SIZE_MAX)
		buf->max = max + 1;
	char *p = buf_reserve(buf, (size_t)n + 1);
	buf->max = max;
	if (!p)
		return;
	va_start(args, format);
	vsnprintf(p, (size_t)n + 1, format, args);
	va_end(args);
	buf_advance(buf, (size_t)n);
}

void *buf_reserve(struct buf *buf, size_t n)
{
	if (!make_room(buf, n))
		return NULL;
	/* The caller may write all of it and keep little (a failed decryption): wipe it all. */
	if (buf->n + n > buf->touched)
		buf->touched = buf->n + n;
	return buf->p + buf->n;
}

void buf_advance(struct buf *buf, size_t n)
{
	if (buf->error != OK)
		return;
	if (n > buf->capacity - buf->n || n > buf->max - buf->n)
		buf->error = ERR_TOO_BIG;
	else
		count(buf, n);
}

enum err buf_error(const struct buf *buf) { return buf->error; }

struct str buf_str(const struct buf *buf) { return (struct str){ buf->p ? buf->p : "", buf->n }; }
