/* What answers show of a secret. Made when it is written, so that reading decrypts nothing. */
#include "base/json_read.h"
#include "base/json_write.h"
#include "vault/data.h"

void vault_mask_text(struct str secret, struct buf *out)
{
	size_t shown = 0;

	if (str_utf8_length(secret) >= VAULT_MASK_SHOWS_FROM)
		for (int i = 0; i < VAULT_MASK_SHOWS; i++)
			shown += str_utf8_step(secret, shown);
	buf_add_str(out, str_slice(secret, 0, shown));
	buf_add_c(out, "****");
}

/* Four characters of UTF-8 and four stars. */
enum { MASK_BYTES_MAX = VAULT_MASK_SHOWS * 4 + 4 };

/* A number or an object shows nothing at all: not even its shape. */
static void add_mask(struct json_writer *w, const json_t *secret)
{
	BUF_AUTO struct buf mask = { 0 };

	buf_init(&mask, MASK_BYTES_MAX);
	vault_mask_text(json_is_kind(secret, JSON_STRING) ? json_text(secret) : STR(""), &mask);
	if (buf_error(&mask) != OK && w->out->error == OK)
		w->out->error = mask.error;
	jw_add_text(w, buf_str(&mask));
}

static void add_extra(struct json_writer *w, const json_t *extra)
{
	jw_object(w);
	for (void *i = json_first(extra); i; i = json_next(extra, i)) {
		jw_key_str(w, json_iter_key(i));
		add_mask(w, json_iter_value(i));
	}
	jw_object_end(w);
}

void vault_mask(enum credential_type type, const json_t *data, struct buf *out)
{
	struct json_writer w;

	jw_start(&w, out);
	jw_object(&w);
	for (void *i = json_first(data); i; i = json_next(data, i)) {
		const struct vault_member *member = vault_member_find(type, json_iter_key(i));
		json_t *value = json_iter_value(i);

		jw_key_str(&w, json_iter_key(i));
		if (member && !member->secret)
			jw_add_tree(&w, value);
		else if (!member && json_is_kind(value, JSON_OBJECT))
			add_extra(&w, value);
		else
			add_mask(&w, value);
	}
	jw_object_end(&w);
}
