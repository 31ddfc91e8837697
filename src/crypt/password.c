/* Password hashes: Argon2id by libargon2, bcrypt by libxcrypt. */
#include "crypt/password.h"

#include <argon2.h>
#include <crypt.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"

enum {
	SALT_BYTES = 16,
	HASH_BYTES = 32,
	/* A stored hash may not ask for more: it would be a way to stall the pool. */
	MEMORY_KIB_MAX = 1 << 20,
	PASSES_MAX = 64,
	LANES_MAX = 16,
	BCRYPT_COST_MAX = 16,
	BCRYPT_BYTES = 72, /* bcrypt reads no more of a password */
	BCRYPT_HASH_CHARS = 60
};

const struct password_cost PASSWORD_COST_DEFAULT = { 19456, 2, 1 };

static bool cost_sane(const struct password_cost *cost)
{
	return cost->memory_kib <= MEMORY_KIB_MAX && cost->passes <= PASSES_MAX &&
	       cost->lanes > 0 && cost->lanes <= LANES_MAX;
}

/* Cuts `<name><number>` and the character behind it off the text. */
static bool parameter_cut(struct str *text, const char *name, char end, uint32_t *ret_number)
{
	struct str part = str_cut(text, end);
	struct str head = str_of(name);
	uint64_t number;

	if (str_absent(*text) || !str_starts(part, head) ||
	    !str_to_u64(str_slice(part, head.n, part.n), &number) || number > UINT32_MAX)
		return false;
	*ret_number = (uint32_t)number;
	return true;
}

/* The cost that an Argon2id hash was made at; false for another kind of hash. */
static bool cost_of(struct str hash, struct password_cost *ret_cost)
{
	struct str prefix = STR("$argon2id$v=19$");
	struct str rest = str_slice(hash, prefix.n, hash.n);

	return hash.n < PASSWORD_HASH_MAX && str_starts(hash, prefix) &&
	       parameter_cut(&rest, "m=", ',', &ret_cost->memory_kib) &&
	       parameter_cut(&rest, "t=", ',', &ret_cost->passes) &&
	       parameter_cut(&rest, "p=", '$', &ret_cost->lanes);
}

/* $2a$10$ and 53 characters more; $2x$, the broken one, isn't taken. */
static bool is_bcrypt(struct str hash)
{
	return hash.n == BCRYPT_HASH_CHARS &&
	       (str_starts(hash, STR("$2a$")) || str_starts(hash, STR("$2b$")) ||
		str_starts(hash, STR("$2y$"))) &&
	       hash.p[6] == '$';
}

/* Memory may be there again a moment later; everything else is our own fault or the row's. */
static enum err argon2_error(int result)
{
	return result == ARGON2_MEMORY_ALLOCATION_ERROR ? ERR_NO_MEMORY : ERR_CRYPTO;
}

enum err password_hash(const struct secret *password, const struct password_cost *cost,
		       char ret_hash[PASSWORD_HASH_MAX])
{
	uint8_t salt[SALT_BYTES];
	int result;

	ret_hash[0] = '\0';
	if (password->n > PASSWORD_BYTES_MAX)
		return ERR_BAD_INPUT;
	if (!cost_sane(cost))
		return ERR_CRYPTO;
	TRY(random_bytes(salt, sizeof(salt)));
	result = argon2id_hash_encoded(cost->passes, cost->memory_kib, cost->lanes, password->p, password->n, salt,
				       sizeof(salt), HASH_BYTES, ret_hash, PASSWORD_HASH_MAX);
	if (result == ARGON2_OK)
		return OK;
	ret_hash[0] = '\0';
	return argon2_error(result);
}

static enum err verify_argon2id(const struct secret *password, struct str hash,
				const struct password_cost *cost)
{
	char text[PASSWORD_HASH_MAX];
	int result;

	if (!cost_sane(cost))
		return ERR_CRYPTO;
	memcpy(text, hash.p, hash.n);
	text[hash.n] = '\0';
	result = argon2id_verify(text, password->p, password->n);
	if (result == ARGON2_OK)
		return OK;
	return result == ARGON2_VERIFY_MISMATCH ? ERR_BAD_LOGIN : argon2_error(result);
}

/* What crypt_r works on, and the password as a C string: both are wiped. */
struct bcrypt_work {
	struct crypt_data data;
	char password[BCRYPT_BYTES + 1];
	char hash[BCRYPT_HASH_CHARS + 1];
};

static enum err bcrypt_compare(struct bcrypt_work *work)
{
	const char *made = crypt_r(work->password, work->hash, &work->data);

	if (!made || strlen(made) != BCRYPT_HASH_CHARS)
		return ERR_CRYPTO;
	return bytes_eq_constant_time(made, work->hash, BCRYPT_HASH_CHARS) ? OK : ERR_BAD_LOGIN;
}

static enum err verify_bcrypt(const struct secret *password, struct str hash)
{
	size_t n = password->n < BCRYPT_BYTES ? password->n : BCRYPT_BYTES;
	int cost = (hash.p[4] - '0') * 10 + (hash.p[5] - '0');
	struct bcrypt_work *work;
	enum err e;

	if (cost < 4 || cost > BCRYPT_COST_MAX)
		return ERR_CRYPTO;
	/* As a C string it would end there: a shorter password would match. */
	if (n > 0 && memchr(password->p, '\0', n))
		return ERR_BAD_LOGIN;
	work = calloc(1, sizeof(*work));
	if (!work)
		return ERR_NO_MEMORY;
	if (n > 0)
		memcpy(work->password, password->p, n);
	memcpy(work->hash, hash.p, BCRYPT_HASH_CHARS);
	e = bcrypt_compare(work);
	wipe(work, sizeof(*work));
	free(work);
	return e;
}

enum err password_verify(const struct secret *password, struct str hash)
{
	struct password_cost cost;

	if (password->n > PASSWORD_BYTES_MAX)
		return ERR_BAD_LOGIN;
	if (cost_of(hash, &cost))
		return verify_argon2id(password, hash, &cost);
	return is_bcrypt(hash) ? verify_bcrypt(password, hash) : ERR_CRYPTO;
}

enum err password_verify_nothing(const struct secret *password, const struct password_cost *cost)
{
	static const uint8_t salt[SALT_BYTES] = "no such account";
	uint8_t hash[HASH_BYTES];
	int result;

	if (password->n > PASSWORD_BYTES_MAX)
		return ERR_BAD_LOGIN;
	if (!cost_sane(cost))
		return ERR_CRYPTO;
	result = argon2id_hash_raw(cost->passes, cost->memory_kib, cost->lanes, password->p,
				   password->n, salt, sizeof(salt), hash, sizeof(hash));
	wipe(hash, sizeof(hash));
	return result == ARGON2_OK ? ERR_BAD_LOGIN : argon2_error(result);
}

bool password_needs_upgrade(struct str hash, const struct password_cost *cost)
{
	struct password_cost made_at;

	return !cost_of(hash, &made_at) || made_at.memory_kib < cost->memory_kib ||
	       made_at.passes < cost->passes || made_at.lanes < cost->lanes;
}
