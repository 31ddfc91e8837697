#include "identity/password_rules.h"

#include <string.h>

#include "base/secret.h"
#include "identity/text.h"

static const struct str COMMON[] = {
#define COMMON_PASSWORD(text) { "" text, sizeof(text) - 1 },
#include "identity/common_passwords.def"
#undef COMMON_PASSWORD
};

enum { COMMON_LONGEST = 64, UNIT_LONGEST = 4 };

static int compare(struct str a, struct str b)
{
	size_t n = a.n < b.n ? a.n : b.n;
	int order = memcmp(a.p, b.p, n);

	return order ? order : (a.n > b.n) - (a.n < b.n);
}

static bool listed(struct str lower)
{
	size_t low = 0, high = ARRAY_SIZE(COMMON);

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = compare(COMMON[middle], lower);

		if (order == 0)
			return true;
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return false;
}

/* "aaaaaaaa", "1212121212", "abcabcabc": a few bytes over and over are as soon guessed, however many they are. */
static bool is_repetition(struct str password)
{
	for (size_t unit = 1; unit <= UNIT_LONGEST && unit * 2 <= password.n; unit++)
		if (memcmp(password.p, password.p + unit, password.n - unit) == 0)
			return true;
	return false;
}

bool password_is_common(struct str password)
{
	char lower[COMMON_LONGEST];
	bool found;

	if (is_repetition(password))
		return true;
	if (password.n > sizeof(lower))
		return false;
	for (size_t i = 0; i < password.n; i++) {
		char c = password.p[i];

		lower[i] = c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
	}
	found = listed((struct str){ lower, password.n });
	wipe(lower, sizeof(lower));
	return found;
}

enum err password_check_new(struct ctx *cx, const char *field, struct str password,
			    struct str email_key)
{
	struct str local = str_slice(email_key, 0, str_find(email_key, '@'));

	if (password.n > PASSWORD_BYTES_MAX)
		return ctx_bad_field(cx, field, "TOO_LONG", "A password has at most 1024 bytes.");
	if (str_eq_nocase(password, email_key) || str_eq_nocase(password, local))
		return ctx_bad_field(cx, field, "GUESSABLE",
				     "Your own address is the first that others try.");
	if (password_is_common(password))
		return ctx_bad_field(cx, field, "COMMON",
				     "This password is in every list of common ones.");
	return OK;
}

struct password_cost password_cost_now(const struct config *config)
{
	return (struct password_cost){ .memory_kib = (uint32_t)config->auth_argon2_memory_kib,
				       .passes = (uint32_t)config->auth_argon2_passes,
				       .lanes = 1 };
}

enum err password_make_hash(const struct config *config, struct str password,
			    char ret_hash[PASSWORD_HASH_MAX])
{
	SECRET_AUTO struct secret secret = SECRET_EMPTY;
	struct password_cost cost = password_cost_now(config);

	TRY(secret_copy(password.p, password.n, &secret));
	return password_hash(&secret, &cost, ret_hash);
}
