#include "hook/signature.h"

#include <string.h>

#include "base/clock.h"
#include "base/json_read.h"
#include "base/secret.h"
#include "crypt/encode.h"
#include "crypt/hash.h"
#include "crypt/pubkey.h"

enum {
	SIGNATURES_MAX = 16, /* tried of one header: nobody has more keys in use at a time */
	SIGNATURE_MAX = 512,
	PARTS_MAX = 32,
};

/* --- keys ------------------------------------------------------------------------- */

static bool is_public(enum hook_kind kind) { return kind == HOOK_ED25519 || kind == HOOK_ECDSA_P256; }
static bool is_mac(enum hook_kind kind) { return kind == HOOK_HMAC || kind == HOOK_JWT_HS256; }

/* The key's bytes out of the text that the provider shows. */
static enum err key_bytes(const struct hook_proof *proof, struct str value, struct buf *out)
{
	enum err e = OK;

	switch (proof->key_form) {
	case HOOK_KEY_RAW: buf_add_str(out, value); break;
	case HOOK_KEY_HEX: e = hex_decode(out, value); break;
	case HOOK_KEY_BASE64: e = base64_decode(out, value); break;
	case HOOK_KEY_WHSEC:
		e = base64_decode(out, str_starts(value, STR("whsec_")) ? str_slice(value, 6, value.n) : value);
		break;
	}
	if (e != OK || out->n == 0)
		return ERR_BAD_INPUT;
	return buf_error(out);
}

static enum err open_public_key(const struct hook_proof *proof, struct str bytes, struct pubkey **ret_key)
{
	if (proof->kind == HOOK_ED25519)
		return pubkey_from_ed25519(bytes, ret_key);
	return pubkey_from_der(bytes, ret_key);
}

static enum err check_public_key(const struct hook_proof *proof, struct str bytes)
{
	struct pubkey *key;

	if (open_public_key(proof, bytes, &key) != OK)
		return ERR_BAD_INPUT;
	pubkey_free(key);
	return OK;
}

enum err hook_key_make(const struct hook_proof *proof, struct str value, struct buf *out)
{
	BUF_AUTO struct buf key = { 0 };
	uint8_t made[HMAC_SHA256_STATES];
	size_t n = SHA256_BYTES;

	buf_init(&key, HOOK_KEY_BYTES_MAX);
	TRY(key_bytes(proof, value, &key));
	if (proof->kind == HOOK_CERTIFICATE) {
		buf_add_str(out, buf_str(&key)); /* no secret, but a part of what is signed */
		return buf_error(out);
	}
	if (is_public(proof->kind)) {
		TRY(check_public_key(proof, buf_str(&key)));
		buf_add_str(out, buf_str(&key));
		return buf_error(out);
	}
	if (!is_mac(proof->kind)) {
		sha256_of(BYTES(buf_str(&key)), made);
	} else if (proof->hash == HOOK_SHA256) {
		hmac_sha256_states(buf_str(&key), made);
		n = HMAC_SHA256_STATES;
	} else {
		hmac_sha1_states(buf_str(&key), made);
		n = HMAC_SHA1_STATES;
	}
	buf_add(out, made, n);
	wipe(made, sizeof(made));
	return buf_error(out);
}

bool hook_has_key(const struct hook_keys *keys, struct str field, struct str bytes)
{
	bool found = false;

	for (size_t i = 0; i < keys->n; i++)
		if (str_eq(keys->v[i].field, field) && keys->v[i].bytes.n == bytes.n)
			found |= bytes_eq_constant_time(keys->v[i].bytes.p, bytes.p, bytes.n);
	return found;
}

bool hook_key_is(const struct hook_keys *keys, struct str field, struct str value)
{
	uint8_t hash[SHA256_BYTES];

	if (str_absent(value))
		return false;
	sha256_of(BYTES(value), hash);
	return hook_has_key(keys, field, (struct str){ (const char *)hash, sizeof(hash) });
}

bool hook_pin_holds(const struct hook_proof *proof, const struct hook_keys *keys, struct str value)
{
	bool pinned = false;

	for (size_t i = 0; i < keys->n && !str_absent(proof->pin_field); i++)
		pinned |= str_eq(keys->v[i].field, proof->pin_field);
	return !pinned || hook_key_is(keys, proof->pin_field, value);
}

/* --- what is signed ---------------------------------------------------------------- */

/* The pieces of the signed text, borrowed. */
struct pieces {
	struct str v[PARTS_MAX];
	size_t n;
};

static bool add_piece(struct pieces *pieces, struct str piece)
{
	if (pieces->n == PARTS_MAX)
		return false;
	pieces->v[pieces->n++] = piece;
	return true;
}

static bool add_named(const struct hook_proof *proof, const struct hook_delivery *delivery, struct str name,
		      struct pieces *pieces)
{
	struct str value;

	if (str_eq(name, STR("body")))
		return add_piece(pieces, delivery->body);
	if (str_eq(name, STR("url")))
		return add_piece(pieces, delivery->url);
	if (str_eq(name, STR("method")))
		return add_piece(pieces, delivery->method);
	if (str_eq(name, STR("form")))
		return hook_sorted_form(delivery, &value) == OK && add_piece(pieces, value);
	value = hook_value(delivery, str_eq(name, STR("timestamp")) ? proof->timestamp : name);
	return !str_absent(value) && add_piece(pieces, value);
}

static bool signed_pieces(const struct hook_proof *proof, const struct hook_delivery *delivery,
			  struct pieces *ret_pieces)
{
	struct str rest = proof->signed_text;

	ret_pieces->n = 0;
	while (!str_absent(rest)) {
		struct str text = str_cut(&rest, '{');

		if (text.n > 0 && !add_piece(ret_pieces, text))
			return false;
		if (!str_absent(rest) && !add_named(proof, delivery, str_cut(&rest, '}'), ret_pieces))
			return false;
	}
	return true;
}

/* --- when it was signed ------------------------------------------------------------- */

static bool read_time(const struct hook_proof *proof, struct str text, int64_t *ret_ms)
{
	uint64_t number;

	if (proof->unit == HOOK_RFC3339)
		return time_parse(text, ret_ms);
	/* Up to the year 9999, so that the product fits. */
	if (!str_to_u64(text, &number) || number > 253402300799999ULL)
		return false;
	if (proof->unit == HOOK_SECONDS && number > 253402300799ULL)
		return false;
	*ret_ms = (int64_t)number * (proof->unit == HOOK_SECONDS ? 1000 : 1);
	return true;
}

bool hook_is_timely(const struct hook_proof *proof, const struct hook_delivery *delivery, const char **ret_why)
{
	int64_t ms;

	if (str_absent(proof->timestamp))
		return true;
	*ret_why = "the timestamp is missing or can't be read";
	if (!read_time(proof, hook_value(delivery, proof->timestamp), &ms))
		return false;
	*ret_why = ms < delivery->now_ms ? "the timestamp is too old" : "the timestamp is in the future";
	return ms >= delivery->now_ms - proof->tolerance_ms && ms <= delivery->now_ms + proof->tolerance_ms;
}

/* --- the signatures of a header ------------------------------------------------------ */

struct signatures {
	struct str v[SIGNATURES_MAX];
	size_t n;
};

/* More than anybody sends is somebody's try. */
static bool add_signature(struct signatures *list, struct str text)
{
	if (list->n == SIGNATURES_MAX)
		return false;
	list->v[list->n++] = text;
	return true;
}

static bool read_params(const struct hook_proof *proof, struct str text, struct signatures *ret_list)
{
	while (!str_absent(text)) {
		struct str value = str_trim(str_cut(&text, ','));
		struct str name = str_cut(&value, '=');

		if (str_absent(value))
			return false;
		if (str_eq(name, proof->param) && !add_signature(ret_list, value))
			return false;
	}
	return ret_list->n > 0;
}

/* A comma behind a word is two header lines that were joined: nobody meant that. */
static bool read_words(const struct hook_proof *proof, struct str text, struct signatures *ret_list)
{
	while (!str_absent(text)) {
		struct str word = str_cut(&text, ' ');

		if (word.n == 0 || str_ends(word, STR(",")))
			return false;
		if (str_starts(word, proof->prefix) &&
		    !add_signature(ret_list, str_slice(word, proof->prefix.n, word.n)))
			return false;
	}
	return ret_list->n > 0;
}

static bool read_signatures(const struct hook_proof *proof, struct str text, struct signatures *ret_list)
{
	ret_list->n = 0;
	switch (proof->list) {
	case HOOK_PARAMS: return read_params(proof, text, ret_list);
	case HOOK_WORDS: return read_words(proof, text, ret_list);
	case HOOK_ONE: break;
	}
	return str_starts(text, proof->prefix) &&
	       add_signature(ret_list, str_slice(text, proof->prefix.n, text.n));
}

/* --- the proofs ----------------------------------------------------------------------- */

static void mac_of(const struct hook_proof *proof, struct str states, struct byte_parts data,
		   uint8_t ret_mac[SHA256_BYTES], size_t *ret_n)
{
	*ret_n = proof->hash == HOOK_SHA256 ? SHA256_BYTES : SHA1_BYTES;
	if (proof->hash == HOOK_SHA256)
		hmac_sha256_from((const uint8_t *)states.p, data, ret_mac);
	else
		hmac_sha1_from((const uint8_t *)states.p, data, ret_mac);
}

static size_t states_bytes(const struct hook_proof *proof)
{
	return proof->hash == HOOK_SHA256 ? HMAC_SHA256_STATES : HMAC_SHA1_STATES;
}

static bool decode(enum hook_encoding encoding, struct str text, uint8_t *bytes, size_t n)
{
	return encoding == HOOK_HEX ? hex_decode_to(text, bytes, n) : base64_decode_to(text, bytes, n);
}

/* All signatures are looked at, whichever fits. */
static bool mac_fits(const struct hook_proof *proof, struct str states, const struct pieces *pieces,
		     const struct signatures *signatures)
{
	uint8_t mac[SHA256_BYTES], sent[SHA256_BYTES];
	bool fits = false;
	size_t n;

	mac_of(proof, states, (struct byte_parts){ pieces->v, pieces->n }, mac, &n);
	for (size_t i = 0; i < signatures->n; i++)
		if (decode(proof->encoding, signatures->v[i], sent, n))
			fits |= bytes_eq_constant_time(mac, sent, n);
	wipe(mac, sizeof(mac));
	return fits;
}

static bool key_fits(const struct hook_proof *proof, struct str bytes, struct str message,
		     const struct signatures *signatures)
{
	enum signature_scheme scheme = proof->kind == HOOK_ED25519 ? SIGNATURE_ED25519 : SIGNATURE_P256_DER;
	struct pubkey *key;
	bool fits = false;

	if (open_public_key(proof, bytes, &key) != OK)
		return false;
	for (size_t i = 0; i < signatures->n && !fits; i++) {
		BUF_AUTO struct buf sent = { 0 };
		enum err e;

		buf_init(&sent, SIGNATURE_MAX);
		e = proof->encoding == HOOK_HEX ? hex_decode(&sent, signatures->v[i])
						: base64_decode(&sent, signatures->v[i]);
		fits = e == OK && buf_error(&sent) == OK && pubkey_verify(key, scheme, message, buf_str(&sent));
	}
	pubkey_free(key);
	return fits;
}

/* The pieces as one text, for signatures that aren't made piece by piece. */
static struct str join(const struct hook_delivery *delivery, const struct pieces *pieces)
{
	BUF_AUTO struct buf text = { 0 };
	size_t n = 0;

	for (size_t i = 0; i < pieces->n; i++)
		n += pieces->v[i].n;
	buf_init(&text, n + 1);
	for (size_t i = 0; i < pieces->n; i++)
		buf_add_str(&text, pieces->v[i]);
	return buf_error(&text) == OK ? arena_copy(delivery->arena, buf_str(&text)) : STR_NONE;
}

static bool any_key_fits(const struct hook_proof *proof, const struct hook_delivery *delivery,
			 const struct hook_keys *keys, const struct pieces *pieces,
			 const struct signatures *signatures)
{
	struct str message = is_public(proof->kind) ? join(delivery, pieces) : STR_NONE;

	for (size_t i = 0; i < keys->n; i++) {
		const struct hook_key *key = &keys->v[i];

		if (!str_eq(key->field, proof->key_field))
			continue;
		if (is_public(proof->kind)) {
			if (!str_absent(message) && key_fits(proof, key->bytes, message, signatures))
				return true;
		} else if (key->bytes.n == states_bytes(proof) && mac_fits(proof, key->bytes, pieces, signatures)) {
			return true;
		}
	}
	return false;
}

/* A hash of the body that the signed address holds: then the address's signature is the body's, too. */
static bool body_hash_fits(const struct hook_proof *proof, const struct hook_delivery *delivery)
{
	uint8_t hash[SHA256_BYTES], sent[SHA256_BYTES];

	if (str_absent(proof->body_hash))
		return true;
	sha256_of(BYTES(delivery->body), hash);
	return hex_decode_to(hook_value(delivery, proof->body_hash), sent, sizeof(sent)) &&
	       bytes_eq_constant_time(hash, sent, sizeof(hash));
}

static bool is_signed(const struct hook_proof *proof, struct hook_delivery *delivery, const struct hook_keys *keys,
		      const char **ret_why)
{
	struct signatures signatures;
	struct pieces pieces;

	*ret_why = "the signature header can't be read";
	if (!read_signatures(proof, delivery->signature, &signatures))
		return false;
	if (!hook_is_timely(proof, delivery, ret_why))
		return false;
	*ret_why = "what is signed isn't all there";
	if (!body_hash_fits(proof, delivery) || !signed_pieces(proof, delivery, &pieces) ||
	    (proof->challenged && hook_could_be_challenge(pieces.v, pieces.n)))
		return false;
	*ret_why = "the signature is of another key or another body";
	return any_key_fits(proof, delivery, keys, &pieces, &signatures);
}

/* "Basic dXNlcjpwYXNz" (RFC 7617): the password is what counts. */
static bool is_basic(const struct hook_proof *proof, const struct hook_delivery *delivery,
		     const struct hook_keys *keys)
{
	BUF_AUTO struct buf plain = { 0 };
	struct str rest = delivery->signature;

	buf_init(&plain, SIGNATURE_MAX);
	if (!str_eq_nocase(str_cut(&rest, ' '), STR("Basic")) || str_absent(rest) || base64_decode(&plain, rest) != OK)
		return false;
	rest = buf_str(&plain);
	(void)str_cut(&rest, ':');
	return hook_key_is(keys, proof->key_field, rest);
}

static bool is_token(const struct hook_proof *proof, const struct hook_delivery *delivery,
		     const struct hook_keys *keys)
{
	return str_starts(delivery->signature, proof->prefix) &&
	       hook_key_is(keys, proof->key_field,
			   str_slice(delivery->signature, proof->prefix.n, delivery->signature.n));
}

static bool holds(const struct hook_proof *proof, struct hook_delivery *delivery, const struct hook_keys *keys,
		  const char **ret_why)
{
	if (proof->kind == HOOK_SECRET_URL)
		return true;
	*ret_why = "there is no signature";
	delivery->signature = hook_value(delivery, proof->source);
	if (str_absent(delivery->signature))
		return false;
	if (proof->kind == HOOK_BASIC || proof->kind == HOOK_SHARED_TOKEN) {
		*ret_why = "the shared text is another one";
		return proof->kind == HOOK_BASIC ? is_basic(proof, delivery, keys) : is_token(proof, delivery, keys);
	}
	if (proof->kind == HOOK_JWT_HS256)
		return hook_jwt_holds(proof, delivery, keys, ret_why);
	if (proof->kind == HOOK_CERTIFICATE)
		return hook_certificate_holds(proof, delivery, keys, ret_why);
	if (proof->kind == HOOK_JWT_RS256)
		return hook_jwt_rs256_holds(proof, delivery, keys, ret_why);
	return is_signed(proof, delivery, keys, ret_why);
}

enum err hook_check(const struct hook_scheme *scheme, struct hook_delivery *delivery, const struct hook_keys *keys,
		    const char **ret_why)
{
	*ret_why = "the type has no scheme";
	for (size_t i = 0; i < scheme->proofs; i++)
		if (holds(&scheme->proof[i], delivery, keys, ret_why))
			return OK;
	return ERR_BAD_SIGNATURE;
}

bool hook_key_hmac(const struct hook_keys *keys, const struct hook_proof *proof, struct str text, struct buf *out)
{
	uint8_t mac[SHA256_BYTES];
	size_t n;

	for (size_t i = 0; i < keys->n; i++) {
		if (!str_eq(keys->v[i].field, proof->key_field) || keys->v[i].bytes.n != states_bytes(proof))
			continue;
		mac_of(proof, keys->v[i].bytes, BYTES(text), mac, &n);
		buf_add(out, mac, n);
		return true;
	}
	return false;
}
