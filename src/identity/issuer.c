#include "identity/issuer.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/json_read.h"
#include "identity/identity.h"
#include "store/sql_issuer.h"

enum {
	KEYS_FRESH_MS = 60000,   /* how long keys from the database are kept */
	UNKNOWN_AGAIN_MS = 1000, /* how soon an unknown key id may look there again */
	WANT_AGAIN_MS = 60000,   /* how soon it may ask for another fetch */
	FILE_MAX = 1 << 20
};

/* --- at the start -------------------------------------------------------- */
static enum err wrong(const struct config_issuer *config, const char *key, const char *words,
		      char *ret_why)
{
	snprintf(ret_why, IDENTITY_WHY_MAX, "[issuer %s] %s: %s", config->name, key, words);
	return ERR_CONFIG;
}

static bool given(const char *text) { return text && text[0]; }

static enum err read_file(const struct config_issuer *config, const char *key, const char *path,
			  struct buf *out, char *ret_why)
{
	FILE *file = fopen(path, "re");
	char chunk[4096];
	size_t n;

	if (!file)
		return wrong(config, key, strerror(errno), ret_why);
	while ((n = fread(chunk, 1, sizeof(chunk), file)) > 0)
		buf_add(out, chunk, n);
	n = (size_t)ferror(file);
	fclose(file);
	return n || buf_error(out) != OK ? wrong(config, key, "the file can't be read", ret_why)
					 : OK;
}

static enum err read_pem(struct issuer *issuer, char *ret_why)
{
	BUF_AUTO struct buf text = { 0 };

	buf_init(&text, FILE_MAX);
	TRY(read_file(issuer->config, "pem_file", issuer->config->pem_file, &text, ret_why));
	if (jwt_key_from_pem(buf_str(&text), &issuer->pem) != OK)
		return wrong(issuer->config, "pem_file", "it holds no RSA or P-256 public key",
			     ret_why);
	return OK;
}

static enum err parse_set(struct arena *arena, struct str text, struct jwks *ret_keys)
{
	json_t *document;

	TRY(json_read(arena, text, &document, NULL));
	return jwks_parse(document, ret_keys);
}

static enum err read_set(struct issuer *issuer, char *ret_why)
{
	BUF_AUTO struct buf text = { 0 };
	struct arena *arena;
	enum err e;

	buf_init(&text, FILE_MAX);
	TRY(read_file(issuer->config, "jwks_file", issuer->config->jwks_file, &text, ret_why));
	arena = arena_new(4 * FILE_MAX);
	if (!arena)
		return ERR_NO_MEMORY;
	e = parse_set(arena, buf_str(&text), &issuer->keys);
	arena_free(arena);
	if (e == ERR_NO_MEMORY)
		return e;
	if (e != OK || issuer->keys.n == 0)
		return wrong(issuer->config, "jwks_file", "it isn't a JWK set with a usable key",
			     ret_why);
	return OK;
}

static enum err read_audiences(struct issuer *issuer, char *ret_why)
{
	struct str rest = str_of(issuer->config->audience);
	struct str item;

	while (!str_absent(item = config_list_next(&rest))) {
		if (issuer->audience_count == ISSUER_AUDIENCES_MAX)
			return wrong(issuer->config, "audience", "too many", ret_why);
		issuer->audience[issuer->audience_count++] = item;
	}
	/* Without an audience, tokens that the issuer gave to anybody else's application would be taken. */
	return issuer->audience_count
		       ? OK
		       : wrong(issuer->config, "audience", "it is required", ret_why);
}

static enum err issuer_init(struct issuer *issuer, const struct config_issuer *config,
			    char *ret_why)
{
	int sources = given(config->jwks_url) + given(config->jwks_file) + given(config->pem_file);

	issuer->config = config;
	if (!given(config->issuer))
		return wrong(config, "issuer", "it is required", ret_why);
	if (sources != 1)
		return wrong(config, "jwks_url",
			     "one of jwks_url, jwks_file and pem_file is required", ret_why);
	TRY(read_audiences(issuer, ret_why));
	issuer->from_database = given(config->jwks_url);
	if (given(config->pem_file))
		return read_pem(issuer, ret_why);
	return given(config->jwks_file) ? read_set(issuer, ret_why) : OK;
}

enum err issuers_init(struct issuers *issuers, const struct config *config, char *ret_why)
{
	*issuers = (struct issuers){ 0 };
	for (size_t i = 0; i < config->issuer_count; i++) {
		if (issuers_find(issuers, str_of(config->issuer[i].issuer)))
			return wrong(&config->issuer[i], "issuer", "another section has the same",
				     ret_why);
		issuers->n = i + 1;
		TRY(issuer_init(&issuers->v[i], &config->issuer[i], ret_why));
	}
	return OK;
}

void issuers_done(struct issuers *issuers)
{
	for (size_t i = 0; i < issuers->n; i++) {
		jwt_key_free(issuers->v[i].pem);
		jwks_done(&issuers->v[i].keys);
	}
	issuers->n = 0;
}

struct issuer *issuers_find(struct issuers *issuers, struct str name)
{
	for (size_t i = 0; i < issuers->n; i++)
		if (str_eq(str_of(issuers->v[i].config->issuer), name))
			return &issuers->v[i];
	return NULL;
}

/* --- keys of a URL ------------------------------------------------------- */
/* Takes the stored set in place of the one in hand. None stored yet: an empty one. */
static enum err reload(struct ctx *cx, struct issuer *issuer)
{
	struct sql_jwks_get_in in = { .issuer = str_of(issuer->config->issuer) };
	struct sql_jwks_get_row row;
	struct jwks keys = { 0 };
	enum err e = sql_jwks_get(cx->db, &in, &row);

	if (e == OK)
		e = parse_set(cx->arena, row.document, &keys);
	else if (e == ERR_NOT_FOUND)
		e = OK;
	if (e == ERR_BAD_JSON || e == ERR_BAD_INPUT)
		return ERR_INTERNAL; /* we stored it, and only what we could read */
	if (e != OK)
		return e;
	jwks_done(&issuer->keys);
	issuer->keys = keys;
	issuer->read_at = cx->now_ms;
	return OK;
}

/* Somebody else asked already, or the row is locked: both are as good. */
static void want(struct ctx *cx, struct issuer *issuer)
{
	struct sql_jwks_want_in in = { .issuer = str_of(issuer->config->issuer),
				       .wanted_at = cx->now_ms,
				       .before = cx->now_ms - WANT_AGAIN_MS };

	if (issuer->wanted_at && cx->now_ms - issuer->wanted_at < WANT_AGAIN_MS)
		return;
	issuer->wanted_at = cx->now_ms;
	if (sql_jwks_want(cx->db, &in, NULL) != OK)
		issuer->wanted_at = 0;
}

static enum err key_of_url(struct ctx *cx, struct issuer *issuer, const struct jwt_hint *hint,
			   const struct jwt_key **ret_key)
{
	if (!issuer->read_at || cx->now_ms - issuer->read_at > KEYS_FRESH_MS)
		TRY(reload(cx, issuer));
	*ret_key = jwks_find(&issuer->keys, hint->kid, hint->algorithm);
	if (*ret_key)
		return OK;
	if (cx->now_ms - issuer->read_at > UNKNOWN_AGAIN_MS) {
		TRY(reload(cx, issuer));
		*ret_key = jwks_find(&issuer->keys, hint->kid, hint->algorithm);
	}
	if (*ret_key)
		return OK;
	want(cx, issuer);
	return ERR_BAD_TOKEN;
}

enum err issuer_key(struct ctx *cx, struct issuer *issuer, const struct jwt_hint *hint,
		    const struct jwt_key **ret_key)
{
	*ret_key = NULL;
	if (hint->algorithm == JWT_HS256)
		return ERR_BAD_TOKEN; /* a public key is no secret to check a HMAC by */
	if (issuer->from_database)
		return key_of_url(cx, issuer, hint, ret_key);
	*ret_key = issuer->pem ? issuer->pem : jwks_find(&issuer->keys, hint->kid, hint->algorithm);
	return *ret_key && jwt_key_algorithm(*ret_key) == hint->algorithm ? OK : ERR_BAD_TOKEN;
}
