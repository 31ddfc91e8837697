#include "hook/known.h"

#include <stdlib.h>
#include <string.h>

enum { KNOWN_MAX = 64 };

/* One place for each, found by the hash, which nobody can choose. Keys are sealed in it as they are in the row. */
static struct known {
	uint8_t secret_hash[SHA256_BYTES];
	struct hook hook;
	char *texts; /* NULL: nothing is known here */
} table[KNOWN_MAX];

static struct known *place_of(const uint8_t secret_hash[SHA256_BYTES]) { return &table[secret_hash[0] % KNOWN_MAX]; }

static bool is_known(const struct known *known, const uint8_t secret_hash[SHA256_BYTES])
{
	return known->texts && memcmp(known->secret_hash, secret_hash, SHA256_BYTES) == 0;
}

static void empty(struct known *known)
{
	free(known->texts);
	*known = (struct known){ .texts = NULL };
}

static struct str move(struct str text, char **at)
{
	struct str moved = { *at, text.n };

	if (str_absent(text))
		return STR_NONE;
	memcpy(*at, text.p, text.n);
	*at += text.n;
	return moved;
}

bool hook_recall(const uint8_t secret_hash[SHA256_BYTES], struct hook *ret_hook)
{
	const struct known *known = place_of(secret_hash);

	if (!is_known(known, secret_hash))
		return false;
	*ret_hook = known->hook;
	return true;
}

void hook_remember(const uint8_t secret_hash[SHA256_BYTES], const struct hook *hook)
{
	struct known *known = place_of(secret_hash);
	char *at;

	empty(known);
	at = known->texts = malloc(hook->type.n + hook->check_keys.n + hook->stored_keys.n + 1);
	if (!at)
		return;
	memcpy(known->secret_hash, secret_hash, SHA256_BYTES);
	known->hook = *hook;
	known->hook.type = move(hook->type, &at);
	known->hook.check_keys = move(hook->check_keys, &at);
	known->hook.stored_keys = move(hook->stored_keys, &at);
	known->hook.recalled = true;
}

void hook_forget(const uint8_t secret_hash[SHA256_BYTES])
{
	struct known *known = place_of(secret_hash);

	if (is_known(known, secret_hash))
		empty(known);
}
