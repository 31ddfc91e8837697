#include "hook/handshake.h"

#include "base/json_write.h"
#include "crypt/encode.h"
#include "crypt/hash.h"
#include "hook/visit.h"
#include "store/sql_hook.h"

enum { VALUE_MAX = 1024 };

static bool is_it(const struct hook_handshake *handshake, const struct hook_delivery *delivery)
{
	struct str value;

	if (!str_absent(handshake->method) && !str_eq(handshake->method, delivery->method))
		return false;
	if (str_absent(handshake->when))
		return true;
	value = hook_value(delivery, handshake->when);
	return !str_absent(value) && (str_absent(handshake->equals) || str_eq(value, handshake->equals));
}

const struct hook_handshake *hook_handshake_of(const struct hook_scheme *scheme, const struct hook_delivery *delivery)
{
	for (size_t i = 0; i < scheme->handshakes; i++)
		if (is_it(&scheme->handshake[i], delivery))
			return &scheme->handshake[i];
	return NULL;
}

/* --- the answer ---------------------------------------------------------------------- */

static bool starts_with(struct str *name, struct str prefix)
{
	if (!str_starts(*name, prefix))
		return false;
	*name = str_slice(*name, prefix.n, name->n);
	return true;
}

/* The HMAC of a value under the type's first key. A stranger gets none that would pass for a delivery's signature. */
static bool add_hmac(const struct hook_scheme *scheme, const struct hook_handshake *handshake,
		     const struct hook_keys *keys, struct str value, bool hex, struct buf *out)
{
	BUF_AUTO struct buf mac = { 0 };

	buf_init(&mac, SHA256_BYTES);
	if (str_absent(value) || (!handshake->is_signed && !hook_could_be_challenge(&value, 1)) ||
	    !hook_key_hmac(keys, &scheme->proof[0], value, &mac))
		return false;
	hex ? hex_encode(out, buf_str(&mac)) : base64_encode(out, buf_str(&mac));
	return true;
}

/* Within a JSON string: its escapes without the quotes around. */
static bool add_escaped(struct str value, struct buf *out)
{
	BUF_AUTO struct buf text = { 0 };

	buf_init(&text, 6 * VALUE_MAX + 2);
	json_escape(&text, value);
	if (buf_error(&text) != OK || text.n < 2)
		return false;
	buf_add(out, text.p + 1, text.n - 2);
	return true;
}

static bool add_value(const struct hook_scheme *scheme, const struct hook_handshake *handshake,
		      const struct hook_delivery *delivery, const struct hook_keys *keys, struct str name,
		      struct buf *out)
{
	struct str value;

	if (starts_with(&name, STR("hmac_hex:")))
		return add_hmac(scheme, handshake, keys, hook_value(delivery, name), true, out);
	if (starts_with(&name, STR("hmac_base64:")))
		return add_hmac(scheme, handshake, keys, hook_value(delivery, name), false, out);
	value = hook_value(delivery, name);
	if (str_absent(value) || value.n > VALUE_MAX)
		return false;
	if (handshake->json)
		return add_escaped(value, out);
	buf_add_str(out, value);
	return true;
}

/* "{{" and "}}" are braces: JSON has them. */
static bool write_answer(const struct hook_scheme *scheme, const struct hook_handshake *handshake,
			 const struct hook_delivery *delivery, const struct hook_keys *keys, struct buf *out)
{
	struct str rest = handshake->text;

	for (size_t i = 0; i < rest.n; i++) {
		bool doubled = i + 1 < rest.n && rest.p[i + 1] == rest.p[i];

		if ((rest.p[i] == '{' || rest.p[i] == '}') && doubled) {
			buf_add_char(out, rest.p[i++]);
		} else if (rest.p[i] == '{') {
			struct str name = str_slice(rest, i + 1, rest.n);

			name = str_slice(name, 0, str_find(name, '}'));
			if (!add_value(scheme, handshake, delivery, keys, name, out))
				return false;
			i += name.n + 1;
		} else {
			buf_add_char(out, rest.p[i]);
		}
	}
	return buf_error(out) == OK;
}

/* --- a key that is handed over ---------------------------------------------------------- */

static const struct hook_proof *proof_with(const struct hook_scheme *scheme, struct str field)
{
	for (size_t i = 0; i < scheme->proofs; i++)
		if (str_eq(scheme->proof[i].key_field, field))
			return &scheme->proof[i];
	return NULL;
}

/*
 * The first one stays: whoever knows the address later can't replace the key by handing over another. The same one
 * again is an answer that was lost.
 */
static enum err store_key(struct ctx *cx, const struct hook *hook, const struct hook_scheme *scheme,
			  const struct hook_handshake *handshake, const struct hook_delivery *delivery,
			  const struct hook_keys *keys)
{
	const struct hook_proof *proof = proof_with(scheme, handshake->store_field);
	struct str value = hook_value(delivery, handshake->store);
	KEY_LIST_AUTO struct key_list list;
	BUF_AUTO struct buf key = { 0 }, sealed = { 0 };
	int64_t rows;

	key_list_init(&list);
	if (!proof || str_absent(value) || value.n > VALUE_MAX)
		return ERR_BAD_INPUT;
	buf_init(&key, HOOK_KEY_BYTES_MAX);
	buf_init(&sealed, HOOK_KEYS_SEALED_MAX);
	TRY(hook_key_make(proof, value, &key));
	if (hook_has_key(keys, handshake->store_field, buf_str(&key)))
		return OK;
	if (!str_absent(hook->stored_keys))
		return ERR_DENIED;
	TRY(key_list_add(&list, handshake->store_field, buf_str(&key)));
	TRY(key_list_seal(cx, &hook->connector, &list, &sealed));
	const struct sql_hook_set_stored_keys_in in = { hook->connector, hook->state, buf_str(&sealed) };

	TRY(sql_hook_set_stored_keys(cx->db, &in, &rows));
	return rows == 1 ? OK : ERR_CONFLICT;
}

enum err hook_handshake_answer(struct ctx *cx, const struct hook *hook, const struct hook_scheme *scheme,
			       const struct hook_handshake *handshake, struct hook_delivery *delivery,
			       const struct hook_keys *keys, struct reply *reply)
{
	const char *why;

	if (handshake->is_signed)
		TRY(hook_check(scheme, delivery, keys, &why));
	if (!str_absent(handshake->check) &&
	    !hook_key_is(keys, handshake->check_field, hook_value(delivery, handshake->check)))
		return ERR_DENIED;
	if (!str_absent(handshake->store))
		TRY(store_key(cx, hook, scheme, handshake, delivery, keys));
	if (!str_absent(handshake->visit))
		TRY(hook_visit_later(cx, hook, handshake, delivery));
	reply->status = handshake->status;
	reply->content_type = handshake->text.n == 0 ? NULL
			      : handshake->json	     ? "application/json"
						     : "text/plain; charset=utf-8";
	if (!write_answer(scheme, handshake, delivery, keys, &reply->body))
		return ERR_BAD_INPUT;
	if (str_absent(handshake->header))
		return OK;
	struct str name = arena_copy(cx->arena, handshake->header);

	return str_absent(name) ? ERR_NO_MEMORY
				: reply_header(reply, name.p, hook_value(delivery, handshake->header_value));
}
