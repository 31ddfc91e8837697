#include "identity/api_token.h"

#include <string.h>

#include "base/log.h"
#include "crypt/token.h"
#include "store/sql_token.h"

enum { TOUCH_AGAIN_MS = 60000 };

scopes scopes_parse(struct str text)
{
	scopes set = 0;

	while (!str_absent(text))
		set |= scope_parse(str_cut(&text, ' '));
	return set;
}

struct str scopes_format(scopes set, char text[SCOPES_TEXT_MAX])
{
	size_t n = 0;

	for (int bit = 0; bit < SCOPE_COUNT; bit++) {
		struct str word = str_of(scope_text((enum scope_bit)bit));

		if (!(set & (scopes)1 << bit) || n + word.n + 1 > SCOPES_TEXT_MAX)
			continue;
		if (n > 0)
			text[n++] = ' ';
		memcpy(text + n, word.p, word.n);
		n += word.n;
	}
	return (struct str){ text, n };
}

/* The time of the last use is a help for people: failing to note it fails nothing. */
static void touch(struct ctx *cx, const struct id *token)
{
	struct sql_api_token_touch_in in = { .token_id = *token,
					     .before = cx->now_ms - TOUCH_AGAIN_MS };
	enum err e = sql_api_token_touch(cx->db, &in, NULL);

	if (e != OK)
		log_write(LOG_WARN, "the use of an API token was not noted",
			  LOG_FIELDS(log_err(e)));
}

enum err api_token_enter(struct ctx *cx, struct str token)
{
	struct sql_api_token_enter_in in;
	struct sql_api_token_enter_row row;
	uint8_t hash[TOKEN_HASH_BYTES];
	enum err e;

	if (!api_token_parse(token, &in.token_id, hash))
		return ERR_BAD_TOKEN;
	e = sql_api_token_enter(cx->db, &in, &row);
	if (e != OK)
		return e == ERR_NOT_FOUND ? ERR_BAD_TOKEN : e;
	if (row.secret_hash.n != sizeof(hash) ||
	    !bytes_eq_constant_time(row.secret_hash.p, hash, sizeof(hash)))
		return ERR_BAD_TOKEN;
	if (row.expires_at.set && row.expires_at.v <= cx->now_ms)
		return ERR_TOKEN_EXPIRED;
	cx->who = (struct principal){ .who = WHO_TOKEN,
				      .tenant = row.tenant_id,
				      .user = row.created_by,
				      .token = in.token_id,
				      .scopes = scopes_parse(row.scopes),
				      .live = true };
	if (row.last_used_at.set && row.last_used_at.v > cx->now_ms - TOUCH_AGAIN_MS)
		return OK;
	ctx_enter(cx);
	touch(cx, &in.token_id);
	return OK;
}

enum err api_token_make(struct ctx *cx, struct str name, scopes wanted, struct opt_int expires_at,
			struct id *ret_id, struct secret *ret_text)
{
	struct sql_api_token_insert_in in = { .name = name, .expires_at = expires_at };
	char text[SCOPES_TEXT_MAX];
	uint8_t hash[TOKEN_HASH_BYTES];

	*ret_text = SECRET_EMPTY;
	if (expires_at.set && expires_at.v <= cx->now_ms)
		return ctx_bad_field(cx, "expires_at", "IN_THE_PAST",
				     "A token can't expire before it is made.");
	if (cx->who.who == WHO_TOKEN && (wanted & ~cx->who.scopes))
		return ctx_fail(cx, ERR_SCOPE_MISSING,
				"A token can't give away scopes that it lacks itself.");
	TRY(id_new(ret_id));
	TRY(api_token_new(ret_id, ret_text, hash));
	in.token_id = *ret_id;
	in.secret_hash = (struct str){ (const char *)hash, sizeof(hash) };
	in.scopes = scopes_format(wanted, text);
	return sql_api_token_insert(cx->db, &in, NULL);
}

enum err api_token_end(struct ctx *cx, const struct id *id)
{
	struct sql_api_token_revoke_in in = { .token_id = *id };
	int64_t rows;

	TRY(sql_api_token_revoke(cx->db, &in, &rows));
	return rows == 1 ? OK : ERR_NOT_FOUND;
}
