/* A delivery signed by RSA, with the certificate that its provider shows at an address (RFC 8017, section 8.2). */
#include <inttypes.h>

#include "base/json_read.h"
#include "crypt/checksum.h"
#include "crypt/encode.h"
#include "crypt/pubkey.h"
#include "hook/signature.h"

enum { SIGNATURE_MAX = 1024, AROUND_MAX = 4096 };

/* --- what is signed ---------------------------------------------------------------------- */

/* `key`: a value of the proof's field, which some providers sign along. */
static bool add_named(const struct hook_proof *proof, const struct hook_delivery *delivery, struct str key,
		      struct str name, struct buf *out)
{
	struct str value = STR_NONE;

	if (str_eq(name, STR("crc32"))) {
		buf_printf(out, "%" PRIu32, crc32_of(delivery->body));
		return true;
	}
	if (str_eq(name, STR("body")))
		value = delivery->body;
	else if (str_eq(name, STR("url")))
		value = delivery->url;
	else if (str_eq(name, STR("method")))
		value = delivery->method;
	else if (str_eq(name, STR("form")))
		value = hook_sorted_form(delivery, &value) == OK ? value : STR_NONE;
	else if (str_eq(name, STR("key")))
		value = key;
	else
		value = hook_value(delivery, str_eq(name, STR("timestamp")) ? proof->timestamp : name);
	buf_add_str(out, value);
	return !str_absent(value);
}

static bool write_template(const struct hook_proof *proof, const struct hook_delivery *delivery, struct str key,
			   struct buf *out)
{
	struct str rest = proof->signed_text;

	while (!str_absent(rest)) {
		buf_add_str(out, str_cut(&rest, '{'));
		if (!str_absent(rest) && !add_named(proof, delivery, key, str_cut(&rest, '}'), out))
			return false;
	}
	return buf_error(out) == OK;
}

/*
 * "name\nvalue\n" for each of these members that is there. Only the first one's value may have line ends: else two
 * bodies could be read as the same text.
 */
static bool write_members(const struct hook_proof *proof, const struct hook_delivery *delivery, struct buf *out)
{
	for (size_t i = 0; i < json_length(proof->signed_keys); i++) {
		struct str name = json_text(json_item(proof->signed_keys, i));
		const json_t *member = json_member(delivery->json, name.p);
		struct str value = json_text(member);

		if (!member || json_is_kind(member, JSON_NULL))
			continue;
		if (str_absent(value) || (i > 0 && str_find(value, '\n') < value.n))
			return false;
		buf_add_str(out, name);
		buf_add_char(out, '\n');
		buf_add_str(out, value);
		buf_add_char(out, '\n');
	}
	return buf_error(out) == OK && out->n > 0;
}

/* --- the proof ----------------------------------------------------------------------------- */

static bool find_scheme(const struct hook_proof *proof, const struct hook_delivery *delivery,
			enum signature_scheme *ret_scheme)
{
	enum hook_hash hash = proof->hash;

	if (!str_absent(proof->version)) {
		struct str version = hook_value(delivery, proof->version), word = STR_NONE;

		for (void *i = json_first(proof->versions); i; i = json_next(proof->versions, i))
			if (!str_absent(version) && str_eq(json_iter_key(i), version))
				word = json_text(json_iter_value(i));
		if (str_absent(word))
			return false;
		hash = str_eq(word, STR("sha1")) ? HOOK_SHA1 : HOOK_SHA256;
	}
	*ret_scheme = hash == HOOK_SHA1 ? SIGNATURE_RSA_SHA1 : SIGNATURE_RSA_SHA256;
	return true;
}

static bool is_signed_by(const struct hook_proof *proof, const struct hook_delivery *delivery,
			 const struct pubkey *pubkey, enum signature_scheme scheme, struct str key)
{
	BUF_AUTO struct buf text = { 0 }, sent = { 0 };
	bool whole;

	buf_init(&sent, SIGNATURE_MAX);
	buf_init(&text, delivery->body.n + AROUND_MAX);
	if ((proof->encoding == HOOK_HEX ? hex_decode(&sent, delivery->signature)
					 : base64_decode(&sent, delivery->signature)) != OK)
		return false;
	whole = proof->signed_keys ? write_members(proof, delivery, &text)
				   : write_template(proof, delivery, key, &text);
	return whole && buf_error(&sent) == OK && pubkey_verify(pubkey, scheme, buf_str(&text), buf_str(&sent));
}

/* With each value of the field: an old one and a new one, while they are changed. */
static bool is_signed_with_any(const struct hook_proof *proof, const struct hook_delivery *delivery,
			       const struct pubkey *pubkey, enum signature_scheme scheme, const struct hook_keys *keys)
{
	if (str_absent(proof->key_field))
		return is_signed_by(proof, delivery, pubkey, scheme, STR_NONE);
	for (size_t i = 0; i < keys->n; i++)
		if (str_eq(keys->v[i].field, proof->key_field) &&
		    is_signed_by(proof, delivery, pubkey, scheme, keys->v[i].bytes))
			return true;
	return false;
}

/* The fetched one stands under its address. */
static bool find_key(const struct hook_keys *keys, struct str address, struct pubkey **ret_key)
{
	for (size_t i = 0; i < keys->n && !str_absent(address); i++)
		if (str_eq(keys->v[i].field, address))
			return pubkey_from_der(keys->v[i].bytes, ret_key) == OK;
	return false;
}

bool hook_certificate_holds(const struct hook_proof *proof, const struct hook_delivery *delivery,
			    const struct hook_keys *keys, const char **ret_why)
{
	enum signature_scheme scheme;
	struct pubkey *pubkey;
	bool holds;

	if (!hook_is_timely(proof, delivery, ret_why))
		return false;
	*ret_why = "it isn't said how it is signed";
	if (!find_scheme(proof, delivery, &scheme))
		return false;
	*ret_why = "there is no good certificate of that provider's at that address";
	if (!find_key(keys, hook_value(delivery, proof->key_url), &pubkey))
		return false;
	*ret_why = "the signature is of another key or another body";
	holds = is_signed_with_any(proof, delivery, pubkey, scheme, keys);
	pubkey_free(pubkey);
	if (!holds)
		return false;
	*ret_why = "it is genuine, but not from where it was said to come";
	return hook_pin_holds(proof, keys, hook_value(delivery, proof->pin));
}
