/* Opaque tokens: random text outside, its hash inside. */
#include "crypt/token.h"

#include <string.h>

#include "base/random.h"
#include "crypt/encode.h"
#include "crypt/hash.h"

enum { TOKEN_RANDOM_BYTES = 32, ID_CHARS = 26 };

#define API_TOKEN_PREFIX "lw_"

void token_hash(struct str text, uint8_t ret_hash[TOKEN_HASH_BYTES])
{
	sha256_of(BYTES(text), ret_hash);
}

/* `head` and the text of 32 random bytes. */
static enum err token_make(struct str head, struct secret *ret_text,
			   uint8_t ret_hash[TOKEN_HASH_BYTES])
{
	uint8_t bytes[TOKEN_RANDOM_BYTES];
	char text[TOKEN_SECRET_CHARS + 1];

	*ret_text = SECRET_EMPTY;
	TRY(random_bytes(bytes, sizeof(bytes)));
	TRY(secret_new(head.n + TOKEN_SECRET_CHARS, ret_text));
	base64url_encode_to((struct str){ (const char *)bytes, sizeof(bytes) }, text);
	if (head.n > 0)
		memcpy(ret_text->p, head.p, head.n);
	memcpy(ret_text->p + head.n, text, TOKEN_SECRET_CHARS);
	wipe(bytes, sizeof(bytes));
	wipe(text, sizeof(text));
	token_hash(secret_str(ret_text), ret_hash);
	return OK;
}

enum err token_new(const char *prefix, struct secret *ret_text, uint8_t ret_hash[TOKEN_HASH_BYTES])
{
	return token_make(str_of(prefix), ret_text, ret_hash);
}

enum err api_token_new(const struct id *id, struct secret *ret_text,
		       uint8_t ret_hash[TOKEN_HASH_BYTES])
{
	char head[sizeof(API_TOKEN_PREFIX) + ID_CHARS + 1];
	char text[ID_TEXT_MAX];
	struct str public_form = id_format(ID_TOKEN, id, text);
	size_t at = sizeof(API_TOKEN_PREFIX) - 1;

	memcpy(head, API_TOKEN_PREFIX, at);
	memcpy(head + at, public_form.p + public_form.n - ID_CHARS, ID_CHARS);
	head[at + ID_CHARS] = '_';
	return token_make((struct str){ head, at + ID_CHARS + 1 }, ret_text, ret_hash);
}

bool api_token_looks_like(struct str text) { return str_starts(text, STR(API_TOKEN_PREFIX)); }

/* The id of the 26 characters, through the public form that they were cut from. */
static bool id_of_digits(struct str digits, struct id *ret_id)
{
	const char *prefix = id_prefix(ID_TOKEN);
	size_t n = strlen(prefix);
	char text[ID_TEXT_MAX];

	memcpy(text, prefix, n);
	text[n] = '-';
	memcpy(text + n + 1, digits.p, ID_CHARS);
	return id_parse(ID_TOKEN, (struct str){ text, n + 1 + ID_CHARS }, ret_id);
}

bool api_token_parse(struct str text, struct id *ret_id, uint8_t ret_hash[TOKEN_HASH_BYTES])
{
	size_t at = sizeof(API_TOKEN_PREFIX) - 1;
	uint8_t bytes[TOKEN_RANDOM_BYTES];
	struct id id;
	bool good;

	/* The secret may hold '_' itself, so places count, not separators. */
	if (text.n != API_TOKEN_CHARS || !api_token_looks_like(text) ||
	    text.p[at + ID_CHARS] != '_' || !id_of_digits(str_slice(text, at, ID_CHARS), &id))
		return false;
	good = base64url_decode_to(str_slice(text, at + ID_CHARS + 1, TOKEN_SECRET_CHARS), bytes,
				   sizeof(bytes));
	wipe(bytes, sizeof(bytes));
	if (!good)
		return false;
	*ret_id = id;
	token_hash(text, ret_hash);
	return true;
}
