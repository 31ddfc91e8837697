/*
 * Bytes as text: base64 (RFC 4648, section 4, padded), base64url (section 5,
 * never padded) and lower-case hex (section 8).
 *
 * Decoding is strict, because two texts for the same bytes are two tokens for
 * one secret: no white space, no other alphabet, no missing or extra padding,
 * unused bits zero.
 */
#ifndef LW_CRYPT_ENCODE_H
#define LW_CRYPT_ENCODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

/* Characters that n bytes become, without a terminating NUL. */
#define BASE64_CHARS(n) (((n) + 2) / 3 * 4)
#define BASE64URL_CHARS(n) (((n)*4 + 2) / 3)
#define HEX_CHARS(n) ((n)*2)

/* Append the text to `out`; failures stick in the buffer (buf_error). */
void base64_encode(struct buf *out, struct str bytes);
void base64url_encode(struct buf *out, struct str bytes);
void hex_encode(struct buf *out, struct str bytes);

/* Write into the caller's array of …_CHARS(n) + 1, with a NUL behind. Return the text in it. */
struct str base64_encode_to(struct str bytes, char *ret_text);
struct str base64url_encode_to(struct str bytes, char *ret_text);
struct str hex_encode_to(struct str bytes, char *ret_text);

/*
 * Append the bytes to `out`. ERR_BAD_INPUT for text that isn't canonical, and then `out` is as it
 * was; ERR_NO_MEMORY or ERR_TOO_BIG from the buffer.
 */
enum err base64_decode(struct buf *out, struct str text) MUST_CHECK;
enum err base64url_decode(struct buf *out, struct str text) MUST_CHECK;
enum err hex_decode(struct buf *out, struct str text) MUST_CHECK; /* takes upper case too */

/* Exactly n bytes into the caller's array; false, and the array zeroed, for any other text. */
bool base64_decode_to(struct str text, void *ret_bytes, size_t n) MUST_CHECK;
bool base64url_decode_to(struct str text, void *ret_bytes, size_t n) MUST_CHECK;
bool hex_decode_to(struct str text, void *ret_bytes, size_t n) MUST_CHECK;

#endif
