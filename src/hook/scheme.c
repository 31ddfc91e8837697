#include "hook/scheme.h"

#include <string.h>

#include "base/json_read.h"
#include "connect/pattern.h"
#include "hook/reading.h"

enum {
	TOLERANCE_MAX_S = 3600,
	/* Until a key is here the provider sends again, maybe with the old time; the event's id stops repetitions. */
	TOLERANCE_FETCHED_MAX_S = 7 * 24 * 3600
};

/* --- proofs ----------------------------------------------------------------------------- */

static void read_timestamp(struct reading *r, const json_t *timestamp, struct hook_proof *proof)
{
	int64_t tolerance_s, most_s = proof->kind == HOOK_CERTIFICATE ? TOLERANCE_FETCHED_MAX_S : TOLERANCE_MAX_S;

	if (!timestamp)
		return;
	reading_members(r, timestamp, OF_TIMESTAMP);
	proof->timestamp = reading_needed(r, reading_source(r, timestamp, "source"), "timestamp");
	proof->unit = (enum hook_unit)reading_enum(r, timestamp, OF_TIMESTAMP, "unit");
	if (!json_integer_of(json_member(timestamp, "tolerance_s"), &tolerance_s) || tolerance_s < 1 ||
	    tolerance_s > most_s)
		reading_complain(r, "tolerance_s");
	else
		proof->tolerance_ms = tolerance_s * 1000;
}

static bool is_signed_name(const struct hook_proof *proof, struct str name)
{
	static const char *const OURS[] = { "body", "url", "method", "form" };

	if (proof->kind == HOOK_CERTIFICATE && str_eq(name, STR("key")))
		return !str_absent(proof->key_field);
	if (proof->kind == HOOK_CERTIFICATE && str_eq(name, STR("crc32")))
		return true;
	for (size_t i = 0; i < ARRAY_SIZE(OURS); i++)
		if (str_eq(name, str_of(OURS[i])))
			return true;
	return str_eq(name, STR("timestamp")) ? !str_absent(proof->timestamp) : reading_is_part(name);
}

/*
 * The body has to be in it, or its hash, or its form: else anybody's body would do. So does the time that is looked at;
 * one in the body is signed with it.
 */
static void check_signed(struct reading *r, const struct hook_proof *proof)
{
	struct str rest = reading_needed(r, proof->signed_text, "signed");
	bool has_body = !str_absent(proof->body_hash);
	bool has_time = str_absent(proof->timestamp) || str_starts(proof->timestamp, STR("json:"));

	while (!str_absent(rest)) {
		struct str name;

		(void)str_cut(&rest, '{');
		if (str_absent(rest))
			break;
		name = str_cut(&rest, '}');
		if (str_absent(rest) || !is_signed_name(proof, name))
			reading_complain(r, "signed");
		has_body |= str_eq(name, STR("body")) || str_eq(name, STR("form")) || str_eq(name, STR("crc32"));
		has_time |= str_eq(name, STR("timestamp")) || str_eq(name, proof->timestamp);
	}
	if (!has_body || !has_time)
		reading_complain(r, "signed");
}

/* --- proofs by keys that are fetched -------------------------------------------------------- */

static void read_pin(struct reading *r, const json_t *json, struct hook_proof *proof)
{
	proof->pin = reading_text(json, "pin");
	proof->pin_field = reading_text(json, "pin_field");
	reading_pair(r, proof->pin, proof->pin_field, "pin_field");
}

static bool is_address_pattern(struct str pattern)
{
	return str_starts(pattern, STR("^https://")) && str_ends(pattern, STR("$")) && !pattern_fault(pattern);
}

static void read_versions(struct reading *r, const json_t *json, struct hook_proof *proof)
{
	proof->hash = (enum hook_hash)reading_enum(r, json, OF_PROOF, "hash");
	proof->version = reading_source(r, json, "version");
	proof->versions = json_member(json, "versions");
	if (str_absent(proof->version) != !proof->versions)
		reading_complain(r, "versions");
	for (void *i = json_first(proof->versions); i; i = json_next(proof->versions, i))
		(void)reading_choice(r, json_text(json_iter_value(i)), OF_PROOF, "versions");
}

/* Members that are signed by name. The time that is looked at has to be one of them. */
static void check_signed_keys(struct reading *r, const struct hook_proof *proof)
{
	struct str at = proof->timestamp, kind = str_cut(&at, ':');
	bool has_time = str_absent(proof->timestamp);

	if (json_length(proof->signed_keys) == 0 || !str_absent(proof->signed_text))
		reading_complain(r, "signed_keys");
	for (size_t i = 0; i < json_length(proof->signed_keys); i++) {
		struct str name = reading_needed(r, json_text(json_item(proof->signed_keys, i)), "signed_keys");

		has_time |= str_eq(kind, STR("json")) && str_eq(name, at);
	}
	if (!has_time)
		reading_complain(r, "signed_keys");
}

static void read_certificate(struct reading *r, const json_t *json, struct hook_proof *proof)
{
	const json_t *certificate = json_member(json, "certificate");

	reading_members(r, certificate, OF_CERTIFICATE);
	READING_WITHOUT(r, json, "key_encoding", "prefix", "list", "param", "body_hash", "jwks", "issuer");
	proof->key_url = reading_needed(r, reading_source(r, certificate, "source"), "certificate");
	proof->key_address = reading_text(certificate, "address");
	proof->key_owner = reading_needed(r, reading_text(certificate, "owner"), "owner");
	proof->key_chained = reading_flag(certificate, "chained");
	if (!is_address_pattern(proof->key_address))
		reading_complain(r, "address");
	if (pattern_fault(proof->key_owner))
		reading_complain(r, "owner");
	proof->key_field = reading_text(json, "key_field");
	proof->encoding = (enum hook_encoding)reading_enum(r, json, OF_PROOF, "encoding");
	proof->signed_text = reading_text(json, "signed");
	proof->signed_keys = json_member(json, "signed_keys");
	read_versions(r, json, proof);
	read_timestamp(r, json_member(json, "timestamp"), proof);
	if (!reading_is_source(proof->pin))
		reading_complain(r, "pin");
	if (proof->signed_keys)
		check_signed_keys(r, proof);
	else
		check_signed(r, proof);
}

static void read_issuer(struct reading *r, const json_t *json, struct hook_proof *proof)
{
	READING_WITHOUT(r, json, "key_field", "key_encoding", "hash", "encoding", "list", "param", "signed", "body_hash",
			"timestamp", "certificate", "version", "versions", "signed_keys");
	proof->key_url = reading_text(json, "jwks");
	proof->issuer = reading_needed(r, reading_text(json, "issuer"), "issuer");
	proof->prefix = reading_text_or(json, "prefix", STR(""));
	if (!str_starts(proof->key_url, STR("https://")))
		reading_complain(r, "jwks");
}

static void read_proof(struct reading *r, const json_t *json, struct hook_proof *proof)
{
	proof->kind = (enum hook_kind)reading_enum(r, json, OF_PROOF, "scheme");
	if (proof->kind == HOOK_SECRET_URL)
		return;
	proof->source = reading_needed(r, reading_source(r, json, "source"), "source");
	read_pin(r, json, proof);
	if (proof->kind == HOOK_CERTIFICATE || proof->kind == HOOK_JWT_RS256) {
		proof->kind == HOOK_CERTIFICATE ? read_certificate(r, json, proof) : read_issuer(r, json, proof);
		return;
	}
	READING_WITHOUT(r, json, "certificate", "version", "versions", "signed_keys", "jwks", "issuer", "pin");
	proof->key_field = reading_needed(r, reading_text(json, "key_field"), "key_field");
	proof->key_form = (enum hook_key_form)reading_enum(r, json, OF_PROOF, "key_encoding");
	proof->prefix = reading_text_or(json, "prefix", STR(""));
	if (proof->kind == HOOK_SHARED_TOKEN || proof->kind == HOOK_BASIC || proof->kind == HOOK_JWT_HS256)
		return;
	proof->hash = (enum hook_hash)reading_enum(r, json, OF_PROOF, "hash");
	proof->encoding = (enum hook_encoding)reading_enum(r, json, OF_PROOF, "encoding");
	proof->list = (enum hook_list)reading_enum(r, json, OF_PROOF, "list");
	proof->param = reading_text(json, "param");
	proof->signed_text = reading_text(json, "signed");
	proof->body_hash = reading_source(r, json, "body_hash");
	if (proof->list == HOOK_PARAMS)
		(void)reading_needed(r, proof->param, "param");
	read_timestamp(r, json_member(json, "timestamp"), proof);
	check_signed(r, proof);
}

static void read_proofs(struct reading *r, const json_t *webhook, struct hook_scheme *scheme)
{
	const json_t *also = json_member(webhook, "also");

	read_proof(r, webhook, &scheme->proof[scheme->proofs++]);
	if (json_length(also) >= HOOK_PROOFS_MAX)
		reading_complain(r, "also");
	for (size_t i = 0; i < json_length(also) && scheme->proofs < HOOK_PROOFS_MAX; i++) {
		reading_members(r, json_item(also, i), OF_PROOF);
		read_proof(r, json_item(also, i), &scheme->proof[scheme->proofs++]);
	}
}

/* --- handshakes --------------------------------------------------------------------------- */

/* "{{" and "}}" are braces, {name} is a source, or an HMAC of one. */
static bool is_answer(struct str text)
{
	for (size_t i = 0; i < text.n; i++) {
		struct str name = str_slice(text, i + 1, text.n);

		if (text.p[i] != '{' && text.p[i] != '}')
			continue;
		if (name.n > 0 && name.p[0] == text.p[i]) {
			i++;
			continue;
		}
		name = str_slice(name, 0, str_find(name, '}'));
		i += name.n + 1;
		if (str_starts(name, STR("hmac_hex:")) || str_starts(name, STR("hmac_base64:")))
			(void)str_cut(&name, ':');
		if (i >= text.n || !reading_is_source(name))
			return false;
	}
	return true;
}

static void check_handshake(struct reading *r, const struct hook_handshake *handshake)
{
	reading_pair(r, handshake->check, handshake->check_field, "check_field");
	reading_pair(r, handshake->header, handshake->header_value, "header_value");
	reading_pair(r, handshake->store, handshake->store_field, "store_field");
	reading_pair(r, handshake->visit, handshake->visit_address, "visit_address");
	/* What isn't genuine doesn't send us anywhere. */
	if (!str_absent(handshake->visit) && (!handshake->is_signed || !is_address_pattern(handshake->visit_address)))
		reading_complain(r, "visit");
	if (handshake->status < 200 || handshake->status > 299)
		reading_complain(r, "status");
	if (str_absent(handshake->method) && str_absent(handshake->when))
		reading_complain(r, "when");
	/* Else every event would be one. */
	if (str_eq(handshake->method, STR("POST")) && str_absent(handshake->when))
		reading_complain(r, "when");
	if (!is_answer(handshake->text))
		reading_complain(r, "text");
}

static void read_handshake(struct reading *r, const json_t *json, struct hook_handshake *handshake)
{
	int64_t status = 200;

	reading_members(r, json, OF_HANDSHAKE);
	*handshake = (struct hook_handshake){
		.method = reading_text(json, "method"),
		.when = reading_source(r, json, "when"),
		.equals = reading_text(json, "equals"),
		.check = reading_source(r, json, "check"),
		.check_field = reading_text(json, "check_field"),
		.is_signed = reading_flag(json, "signed"),
		.text = reading_text_or(json, "text", STR("")),
		.json = reading_enum(r, json, OF_HANDSHAKE, "content_type") == 1,
		.header = reading_text(json, "header"),
		.header_value = reading_source(r, json, "header_value"),
		.store_field = reading_text(json, "store_field"),
		.store = reading_source(r, json, "store"),
		.visit = reading_source(r, json, "visit"),
		.visit_address = reading_text(json, "visit_address"),
	};
	if (json_member(json, "status") && !json_integer_of(json_member(json, "status"), &status))
		reading_complain(r, "status");
	handshake->status = status < 0 || status > 999 ? 0 : (int)status;
	check_handshake(r, handshake);
}

static void read_handshakes(struct reading *r, const json_t *list, struct hook_scheme *scheme)
{
	if (json_length(list) > HOOK_HANDSHAKES_MAX)
		reading_complain(r, "handshakes");
	for (size_t i = 0; i < json_length(list) && i < HOOK_HANDSHAKES_MAX; i++)
		read_handshake(r, json_item(list, i), &scheme->handshake[scheme->handshakes++]);
}

static bool answers_challenges(const struct hook_scheme *scheme)
{
	static const char HMAC[] = "{hmac_";

	for (size_t i = 0; i < scheme->handshakes; i++) {
		const struct hook_handshake *handshake = &scheme->handshake[i];

		if (!handshake->is_signed && memmem(handshake->text.p, handshake->text.n, HMAC, sizeof(HMAC) - 1))
			return true;
	}
	return false;
}

enum err hook_scheme_read(const json_t *webhook, struct hook_scheme *ret_scheme, const char **ret_why)
{
	struct reading r = { 0 };

	*ret_scheme = (struct hook_scheme){ 0 };
	*ret_why = "";
	if (!webhook || !str_absent(reading_text(webhook, "none")))
		return ERR_NOT_FOUND;
	reading_members(&r, webhook, OF_WEBHOOK);
	READING_WITHOUT(&r, webhook, "none");
	*ret_scheme = (struct hook_scheme){
		.event_id = reading_source(&r, webhook, "event_id"),
		.event_type = reading_source(&r, webhook, "event_type"),
		.occurred_at = reading_source(&r, webhook, "occurred_at"),
		.account = reading_source(&r, webhook, "account"),
		.subject_kind = reading_source(&r, webhook, "subject_kind"),
		.subject_id = reading_source(&r, webhook, "subject_id"),
		.list = reading_text(webhook, "list_path"),
		.repeats = reading_flag(webhook, "repeats"),
		.empty_answer = reading_flag(webhook, "empty_answer"),
	};
	read_proofs(&r, webhook, ret_scheme);
	read_handshakes(&r, json_member(webhook, "handshakes"), ret_scheme);
	for (size_t i = 0; i < ret_scheme->proofs; i++)
		ret_scheme->proof[i].challenged = answers_challenges(ret_scheme);
	*ret_why = r.why ? r.why : "";
	return r.why ? ERR_CONFIG : OK;
}
