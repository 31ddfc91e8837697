/*
 * Sealed values from anywhere: nothing that we didn't seal opens, and no text is read past its end.
 * The same bytes are tried as a Fernet token, an API token and a password hash, which come from the
 * same hands: a database or an import that somebody else wrote.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "crypt/envelope.h"
#include "crypt/fernet.h"
#include "crypt/password.h"
#include "crypt/token.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Random at each start: no input of a corpus was ever sealed under them. */
static struct root_key root = { .id = "v1" };

static void must_stay_shut(struct str sealed)
{
	struct envelope_context context = { .type = STR("oauth2"), .version = 1 };
	struct secret plain;
	struct str id;

	if (envelope_generation(sealed, &context.generation) == OK &&
	    (envelope_open(&root.key, &context, sealed, &plain) != ERR_UNREADABLE ||
	     envelope_unwrap(&root, &context.tenant, context.generation, sealed, &plain) !=
		     ERR_UNREADABLE))
		abort();
	if (envelope_root_id(sealed, &id) == OK && !keyring_id_valid(id))
		abort();
	if (envelope_open_with(&root, STR("fuzz"), BYTES(sealed), sealed, &plain) != ERR_UNREADABLE)
		abort();
	if (fernet_open(&root.key, sealed, 0, 0, &plain) != ERR_UNREADABLE)
		abort();
}

/* Flips one bit, which the input names, of what was sealed from the input: it must not open. */
static void must_not_open_when_touched(struct str plain)
{
	struct envelope_context context = { .type = STR("oauth2"), .version = 1 };
	BUF_AUTO struct buf sealed = { 0 };
	struct secret opened;
	size_t bit;

	buf_init(&sealed, 1 << 20);
	if (envelope_seal(&root.key, &context, plain, &sealed) != OK)
		return;
	if (envelope_open(&root.key, &context, buf_str(&sealed), &opened) != OK ||
	    !str_eq(secret_str(&opened), plain))
		abort();
	secret_done(&opened);
	bit = ((size_t)(uint8_t)plain.p[0] << 8 | plain.n) % (sealed.n * 8);
	sealed.p[bit / 8] ^= (char)(1 << bit % 8);
	if (envelope_open(&root.key, &context, buf_str(&sealed), &opened) != ERR_UNREADABLE)
		abort();
}

static void read_texts(struct str text)
{
	uint8_t hash[TOKEN_HASH_BYTES];
	struct id id;

	if (api_token_parse(text, &id, hash) && text.n != API_TOKEN_CHARS)
		abort();
	(void)password_needs_upgrade(text, &PASSWORD_COST_DEFAULT);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str input = { (const char *)data, size };

	if (!root.key.p && envelope_new_key(&root.key) != OK)
		abort();
	must_stay_shut(input);
	read_texts(input);
	if (size > 0)
		must_not_open_when_touched(input);
	return 0;
}
