/* Text forms of bytes, strict both ways: see encode.h. */
#include "crypt/encode.h"

#include "base/secret.h"

/* The two base 64 alphabets differ in their last two characters, and in the padding. */
struct alphabet {
	char digits[65];
	bool padded;
};

static const struct alphabet STANDARD = {
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", true
};
static const struct alphabet URL = {
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_", false
};

/* Writes the characters, returns their number. */
static size_t digits_write(const struct alphabet *alphabet, struct str bytes, char *text)
{
	const uint8_t *p = (const uint8_t *)bytes.p;
	size_t at = 0;

	for (size_t i = 0; i < bytes.n; i += 3) {
		size_t left = bytes.n - i;
		uint32_t group = (uint32_t)p[i] << 16;

		if (left > 1)
			group |= (uint32_t)p[i + 1] << 8;
		if (left > 2)
			group |= p[i + 2];
		text[at++] = alphabet->digits[group >> 18];
		text[at++] = alphabet->digits[group >> 12 & 63];
		if (left > 1)
			text[at++] = alphabet->digits[group >> 6 & 63];
		if (left > 2)
			text[at++] = alphabet->digits[group & 63];
	}
	while (alphabet->padded && at % 4 != 0)
		text[at++] = '=';
	return at;
}

static int digit_value(const struct alphabet *alphabet, char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == alphabet->digits[62])
		return 62;
	return c == alphabet->digits[63] ? 63 : -1;
}

/* The text without its padding; false when the length or the padding is wrong. */
static bool digits_of(const struct alphabet *alphabet, struct str text, struct str *ret_digits)
{
	if (alphabet->padded) {
		if (text.n % 4 != 0)
			return false;
		for (int i = 0; i < 2 && text.n > 0 && text.p[text.n - 1] == '='; i++)
			text.n--;
	}
	*ret_digits = text;
	return text.n % 4 != 1;
}

/* Writes digits.n * 3 / 4 bytes. False for a foreign character or an unused bit that is set. */
static bool digits_read(const struct alphabet *alphabet, struct str digits, uint8_t *bytes)
{
	uint32_t group = 0;
	unsigned bits = 0;

	for (size_t i = 0; i < digits.n; i++) {
		int value = digit_value(alphabet, digits.p[i]);

		if (value < 0)
			return false;
		group = group << 6 | (uint32_t)value;
		bits += 6;
		if (bits >= 8) {
			bits -= 8;
			*bytes++ = (uint8_t)(group >> bits);
			group &= (1U << bits) - 1;
		}
	}
	return group == 0;
}

static void encode(struct buf *out, const struct alphabet *alphabet, struct str bytes)
{
	char *text;

	if (bytes.n == 0)
		return;
	text = buf_reserve(out, BASE64_CHARS(bytes.n));
	if (text)
		buf_advance(out, digits_write(alphabet, bytes, text));
}

static enum err decode(struct buf *out, const struct alphabet *alphabet, struct str text)
{
	struct str digits;
	uint8_t *bytes;

	if (!digits_of(alphabet, text, &digits))
		return ERR_BAD_INPUT;
	if (digits.n == 0)
		return buf_error(out);
	bytes = buf_reserve(out, digits.n * 3 / 4);
	if (!bytes)
		return buf_error(out);
	if (!digits_read(alphabet, digits, bytes))
		return ERR_BAD_INPUT;
	buf_advance(out, digits.n * 3 / 4);
	return OK;
}

static bool decode_to(const struct alphabet *alphabet, struct str text, void *ret_bytes, size_t n)
{
	struct str digits;

	if (digits_of(alphabet, text, &digits) && digits.n * 3 / 4 == n &&
	    digits_read(alphabet, digits, ret_bytes))
		return true;
	wipe(ret_bytes, n);
	return false;
}

void base64_encode(struct buf *out, struct str bytes) { encode(out, &STANDARD, bytes); }
void base64url_encode(struct buf *out, struct str bytes) { encode(out, &URL, bytes); }

enum err base64_decode(struct buf *out, struct str text) { return decode(out, &STANDARD, text); }
enum err base64url_decode(struct buf *out, struct str text) { return decode(out, &URL, text); }

bool base64_decode_to(struct str text, void *ret_bytes, size_t n)
{
	return decode_to(&STANDARD, text, ret_bytes, n);
}

bool base64url_decode_to(struct str text, void *ret_bytes, size_t n)
{
	return decode_to(&URL, text, ret_bytes, n);
}

static struct str terminated(char *text, size_t n)
{
	text[n] = '\0';
	return (struct str){ text, n };
}

struct str base64_encode_to(struct str bytes, char *ret_text)
{
	return terminated(ret_text, digits_write(&STANDARD, bytes, ret_text));
}

struct str base64url_encode_to(struct str bytes, char *ret_text)
{
	return terminated(ret_text, digits_write(&URL, bytes, ret_text));
}

static size_t hex_write(struct str bytes, char *text)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < bytes.n; i++) {
		uint8_t byte = (uint8_t)bytes.p[i];

		text[2 * i] = digits[byte >> 4];
		text[2 * i + 1] = digits[byte & 15];
	}
	return HEX_CHARS(bytes.n);
}

static bool hex_read(struct str text, uint8_t *bytes)
{
	for (size_t i = 0; i + 1 < text.n; i += 2) {
		int high = str_hex_digit(text.p[i]);
		int low = str_hex_digit(text.p[i + 1]);

		if (high < 0 || low < 0)
			return false;
		bytes[i / 2] = (uint8_t)(high << 4 | low);
	}
	return true;
}

void hex_encode(struct buf *out, struct str bytes)
{
	char *text = bytes.n > 0 ? buf_reserve(out, HEX_CHARS(bytes.n)) : NULL;

	if (text)
		buf_advance(out, hex_write(bytes, text));
}

struct str hex_encode_to(struct str bytes, char *ret_text)
{
	return terminated(ret_text, hex_write(bytes, ret_text));
}

enum err hex_decode(struct buf *out, struct str text)
{
	uint8_t *bytes;

	if (text.n % 2 != 0)
		return ERR_BAD_INPUT;
	if (text.n == 0)
		return buf_error(out);
	bytes = buf_reserve(out, text.n / 2);
	if (!bytes)
		return buf_error(out);
	if (!hex_read(text, bytes))
		return ERR_BAD_INPUT;
	buf_advance(out, text.n / 2);
	return OK;
}

bool hex_decode_to(struct str text, void *ret_bytes, size_t n)
{
	if (text.n % 2 == 0 && text.n / 2 == n && hex_read(text, ret_bytes))
		return true;
	wipe(ret_bytes, n);
	return false;
}
