#include "vault/import.h"

#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

#include "audit/audit.h"
#include "base/clock.h"
#include "base/json_read.h"
#include "base/json_write.h"
#include "crypt/encode.h"
#include "crypt/fernet.h"
#include "crypt/hash.h"
#include "store/db.h"
#include "vault/credential.h"
#include "vault/data.h"

enum {
	SCRATCH_MAX = 16 << 20,
	WHY_MAX = 200,
	NAME_MAX_CHARS = 200,
	SERVICE_MAX_CHARS = 64,
	HEAD_CHARS = 12, /* of a token: version and time, 9 bytes */
	HEAD_BYTES = 9
};

#define TOKEN_START "gAAAAA" /* the version byte and a time before the year 2106 */

struct line {
	struct ctx *cx;
	const struct secret *key;
	struct str text;
	const json_t *json;
	struct vault_new new;
	char why[WHY_MAX];
};

static enum err fail(struct line *l, const char *words)
{
	snprintf(l->why, sizeof(l->why), "%s", words);
	return ERR_BAD_INPUT;
}

/* --- the line ----------------------------------------------------------------- */

static bool is_service(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!((s.p[i] >= 'a' && s.p[i] <= 'z') || (s.p[i] >= '0' && s.p[i] <= '9') ||
		      (i > 0 && memchr("._-", s.p[i], 3))))
			return false;
	return s.n > 0 && s.n <= SERVICE_MAX_CHARS;
}

static bool is_known(struct str name)
{
	static const char *const NAMES[] = { "name", "type", "service", "token", "expires_at" };

	for (size_t i = 0; i < ARRAY_SIZE(NAMES); i++)
		if (str_eq(name, str_of(NAMES[i])))
			return true;
	return false;
}

static bool loses_a_secret(const json_t *json)
{
	for (void *i = json_first(json); i; i = json_next(json, i))
		if (!is_known(json_iter_key(i)) &&
		    str_starts(json_text(json_iter_value(i)), STR(TOKEN_START)))
			return true;
	return false;
}

static enum err read_columns(struct line *l)
{
	struct vault_new *new = &l->new;
	struct str expires = json_member_text(l->json, "expires_at");
	enum credential_type type;

	new->name = json_member_text(l->json, "name");
	new->type = json_member_text(l->json, "type");
	new->service = json_member_text(l->json, "service");
	if (new->name.n == 0 || str_utf8_length(new->name) > NAME_MAX_CHARS)
		return fail(l, "name is missing or too long");
	if (!vault_type_parse(new->type, &type))
		return fail(l, "type isn't a type of credential");
	if (!str_absent(new->service) && !is_service(new->service))
		return fail(l, "service must be of a-z, 0-9 and . _ -");
	new->expires_at.set = !str_absent(expires);
	if (new->expires_at.set && !time_parse(expires, &new->expires_at.v))
		return fail(l, "expires_at isn't a time as in RFC 3339");
	return loses_a_secret(l->json)
		       ? fail(l, "a second token beside `token`: make a line of its own for it")
		       : OK;
}

/*
 * A UUIDv7 of the token's own time; its other bits follow from what the line says. So the order by
 * id is the order in which the secrets were stored, and the same line gives the same id.
 */
static enum err id_of_line(struct line *l, struct str token, struct id *ret_id)
{
	uint8_t head[HEAD_BYTES], hash[SHA256_BYTES];
	uint64_t ms = 0;

	if (!base64url_decode_to(str_slice(token, 0, HEAD_CHARS), head, sizeof(head)))
		return fail(l, "token isn't a Fernet token");
	for (int i = 1; i < HEAD_BYTES; i++)
		ms = ms << 8 | head[i];
	ms *= 1000;
	sha256_of(BYTES(STR("latchwork import 1"), l->new.name, STR("\0"), l->new.type, STR("\0"),
			l->new.service, STR("\0"), token),
		  hash);
	memcpy(ret_id->b, hash, sizeof(ret_id->b));
	for (int i = 0; i < 6; i++)
		ret_id->b[i] = (uint8_t)(ms >> (8 * (5 - i)));
	ret_id->b[6] = (uint8_t)(0x70 | (ret_id->b[6] & 0x0f));
	ret_id->b[8] = (uint8_t)(0x80 | (ret_id->b[8] & 0x3f));
	return OK;
}

/* --- its data ----------------------------------------------------------------- */

static bool goes_to_extra(enum credential_type type, struct str name)
{
	return !vault_member_find(type, name) && !str_eq(name, STR(VAULT_EXTRA));
}

/* What was in `extra` already wins over a member of the same name that is moved there. */
static void write_extra(struct json_writer *w, enum credential_type type, const json_t *data)
{
	const json_t *extra = json_member(data, VAULT_EXTRA);

	jw_key(w, VAULT_EXTRA);
	jw_object(w);
	for (void *i = json_first(extra); i; i = json_next(extra, i)) {
		jw_key_str(w, json_iter_key(i));
		jw_add_tree(w, json_iter_value(i));
	}
	for (void *i = json_first(data); i; i = json_next(data, i)) {
		struct str name = json_iter_key(i);

		if (!goes_to_extra(type, name) || json_member(extra, name.p))
			continue;
		jw_key_str(w, name);
		jw_add_tree(w, json_iter_value(i));
	}
	jw_object_end(w);
}

static void write_data(struct json_writer *w, enum credential_type type, const json_t *data)
{
	jw_object(w);
	for (void *i = json_first(data); i; i = json_next(data, i)) {
		struct str name = json_iter_key(i);

		if (!vault_member_find(type, name))
			continue;
		jw_key_str(w, name);
		jw_add_tree(w, json_iter_value(i));
	}
	write_extra(w, type, data);
	jw_object_end(w);
}

static enum err read_data(struct line *l, struct str plain, struct buf *out)
{
	struct json_writer w;
	enum credential_type type;
	json_t *value = NULL;

	if (!vault_type_parse(l->new.type, &type))
		return ERR_INTERNAL;
	jw_start(&w, out);
	if (json_read(l->cx->arena, plain, &value, NULL) == OK &&
	    json_is_kind(value, JSON_OBJECT)) {
		write_data(&w, type, value);
		return OK;
	}
	if (type != CREDENTIAL_API_KEY)
		return fail(l, "what the token holds isn't a JSON object");
	if (json_is_kind(value, JSON_STRING))
		plain = json_text(value);
	if (!str_is_utf8(plain))
		return fail(l, "what the token holds isn't text");
	jw_object(&w);
	jw_put_text(&w, "api_key", plain);
	jw_object_end(&w);
	return OK;
}

static enum err decrypt(struct line *l, struct str token)
{
	SECRET_AUTO struct secret plain = SECRET_EMPTY;
	BUF_AUTO struct buf data = { 0 };
	json_t *tree;

	buf_init(&data, VAULT_DATA_MAX);
	if (fernet_open(l->key, token, 0, 0, &plain) != OK)
		return fail(l, "the token doesn't open with this key");
	TRY(read_data(l, secret_str(&plain), &data));
	if (buf_error(&data) != OK)
		return fail(l, "what the token holds is larger than 64 KiB");
	TRY(json_read(l->cx->arena, buf_str(&data), &tree, NULL));
	l->new.data = tree;
	return OK;
}

static enum err read_line(struct line *l)
{
	struct str token;
	json_t *json;

	if (json_read(l->cx->arena, l->text, &json, NULL) != OK || !json_is_kind(json, JSON_OBJECT))
		return fail(l, "isn't a JSON object");
	l->json = json;
	token = json_member_text(json, "token");
	if (str_absent(token))
		return fail(l, "token is missing");
	TRY(read_columns(l));
	l->new.id.set = true;
	TRY(id_of_line(l, token, &l->new.id.v));
	return decrypt(l, token);
}

/* --- storing ------------------------------------------------------------------ */

static enum err store(struct db *db, void *arg)
{
	struct line *l = arg;
	struct credential c;

	(void)db;
	l->cx->audit = (struct audit_note){ 0 };
	problem_clear(&l->cx->problem);
	TRY(vault_create(l->cx, &l->new, &c));
	ctx_audit_detail(l->cx, "source", STR("fernet"));
	return audit_write(l->cx, AUDIT_CREDENTIAL_IMPORT, OK);
}

/* The first bad place that the vault found: a member's name and words, not its value. */
static enum err tell_problem(struct line *l)
{
	const struct problem *problem = &l->cx->problem;

	if (problem->count == 0)
		return fail(l, err_words(ERR_BAD_INPUT));
	snprintf(l->why, sizeof(l->why), "%.*s %.*s", STR_ARG(problem->field[0].field),
		 STR_ARG(problem->field[0].message));
	return ERR_BAD_INPUT;
}

static enum err import_line(struct line *l, struct vault_imported *counts)
{
	enum err e = read_line(l);

	if (e == OK) {
		e = db_run(l->cx->db, store, l);
		if (e == ERR_BAD_INPUT)
			e = tell_problem(l);
	}
	if (e == ERR_DB_DUPLICATE) {
		counts->known++;
		return OK;
	}
	if (e == OK)
		counts->stored++;
	return e;
}

static enum err import_lines(struct ctx *cx, const struct vault_import *import,
			     struct vault_imported *counts)
{
	char *text = NULL;
	size_t size = 0;
	ssize_t n;
	enum err e = OK;

	for (int64_t number = 1; e == OK && (n = getline(&text, &size, import->in)) >= 0;
	     number++) {
		struct line l = { .cx = cx,
				  .key = import->key,
				  .text = str_trim((struct str){ text, (size_t)n }) };

		arena_reset(cx->arena);
		if (l.text.n == 0)
			continue;
		e = import_line(&l, counts);
		if (e != ERR_BAD_INPUT)
			continue;
		counts->failed++;
		if (import->failed)
			import->failed(import->arg, number, l.why);
		e = OK;
	}
	free(text);
	return e == OK && ferror(import->in) ? ERR_IO : e;
}

enum err vault_import_fernet(struct ctx *cx, const struct vault_import *import,
			     struct vault_imported *ret_imported)
{
	struct arena *own = cx->arena, *scratch = arena_new(SCRATCH_MAX);
	enum err e;

	*ret_imported = (struct vault_imported){ 0 };
	if (!scratch)
		return ERR_NO_MEMORY;
	cx->arena = scratch; /* emptied at each line: the file may be large */
	e = import_lines(cx, import, ret_imported);
	cx->arena = own;
	cx->audit = (struct audit_note){ 0 };
	problem_clear(&cx->problem);
	arena_free(scratch);
	return e;
}
