/*
 * Envelope encryption: what is bound to what. The cipher is aead.c's.
 *
 * What is authenticated or derived from is written with fixed lengths, or with
 * the length in front, so that two different contexts never give the same bytes.
 */
#include "crypt/envelope.h"

#include <string.h>

#include "base/random.h"

enum {
	FORMAT = 1,
	PURPOSE_TENANT_KEY = 1,
	PURPOSE_CREDENTIAL = 2,
	PURPOSE_SMALL = 3,
	GENERATION_AT = 2,
	ROOT_ID_AT = 3,
	CONTEXT_MAX = 8192
};

static void add_u32(struct buf *out, uint32_t n)
{
	const uint8_t bytes[4] = { (uint8_t)(n >> 24), (uint8_t)(n >> 16), (uint8_t)(n >> 8),
				   (uint8_t)n };

	buf_add(out, bytes, sizeof(bytes));
}

static void add_sized(struct buf *out, struct str bytes)
{
	add_u32(out, (uint32_t)bytes.n);
	buf_add_str(out, bytes);
}

static void add_header(struct buf *out, uint8_t purpose, uint32_t generation)
{
	const uint8_t bytes[2] = { FORMAT, purpose };

	buf_add(out, bytes, sizeof(bytes));
	add_u32(out, generation);
}

/* Appends the header and what the AEAD makes of the plain text. */
static enum err seal(const struct secret *key, struct str header, const struct buf *aad,
		     struct str plain, struct buf *out)
{
	TRY(buf_error(aad));
	buf_add_str(out, header);
	return aead_seal(key, buf_str(aad), plain, out);
}

/* Only lack of memory is told apart from "doesn't open". */
static enum err one_failure(enum err e)
{
	return e == OK || e == ERR_NO_MEMORY ? e : ERR_UNREADABLE;
}

/* `sealed` has to begin with that header, which the AAD begins with as well. */
static enum err open_sealed(const struct secret *key, size_t header_bytes, const struct buf *aad,
			    struct str sealed, struct secret *ret_plain)
{
	struct str header = str_slice(buf_str(aad), 0, header_bytes);

	TRY(one_failure(buf_error(aad)));
	if (!str_starts(sealed, header))
		return ERR_UNREADABLE;
	return one_failure(
		aead_open(key, buf_str(aad), str_slice(sealed, header_bytes, sealed.n), ret_plain));
}

/* --- tenant keys --------------------------------------------------------- */

enum err envelope_new_key(struct secret *ret_key)
{
	TRY(secret_new(ENVELOPE_KEY_BYTES, ret_key));
	return random_bytes(ret_key->p, ret_key->n);
}

static void wrapping_context(struct buf *aad, const struct root_key *root, const struct id *tenant,
			     uint32_t generation)
{
	buf_init(aad, CONTEXT_MAX);
	add_header(aad, PURPOSE_TENANT_KEY, generation);
	buf_add_c(aad, "tenant-key");
	buf_add_str(aad, ID_BYTES(tenant));
	add_sized(aad, root_key_id(root));
}

enum err envelope_wrap(const struct root_key *root, const struct id *tenant, uint32_t generation,
		       const struct secret *tenant_key, struct buf *out)
{
	BUF_AUTO struct buf aad = { 0 };

	if (tenant_key->n != ENVELOPE_KEY_BYTES)
		return ERR_CRYPTO;
	wrapping_context(&aad, root, tenant, generation);
	return seal(&root->key, str_slice(buf_str(&aad), 0, ENVELOPE_HEADER_BYTES), &aad,
		    secret_str(tenant_key), out);
}

enum err envelope_unwrap(const struct root_key *root, const struct id *tenant, uint32_t generation,
			 struct str wrapped, struct secret *ret_tenant_key)
{
	BUF_AUTO struct buf aad = { 0 };

	*ret_tenant_key = SECRET_EMPTY;
	if (wrapped.n != ENVELOPE_WRAPPED_BYTES)
		return ERR_UNREADABLE;
	wrapping_context(&aad, root, tenant, generation);
	return open_sealed(&root->key, ENVELOPE_HEADER_BYTES, &aad, wrapped, ret_tenant_key);
}

/* --- credential versions ------------------------------------------------- */

/* The key of one version. It seals one message: no count of nonces is needed. */
static enum err version_key(const struct secret *tenant_key, const struct envelope_context *context,
			    struct secret *ret_key)
{
	BUF_AUTO struct buf info = { 0 };

	*ret_key = SECRET_EMPTY;
	if (tenant_key->n != ENVELOPE_KEY_BYTES)
		return ERR_CRYPTO;
	buf_init(&info, CONTEXT_MAX);
	buf_add_c(&info, "latchwork credential v1");
	buf_add_str(&info, ID_BYTES(&context->tenant));
	buf_add_str(&info, ID_BYTES(&context->credential));
	buf_add_str(&info, ID_BYTES(&context->owner));
	add_u32(&info, context->version);
	TRY(buf_error(&info));
	return hkdf_sha256(tenant_key, STR_NONE, buf_str(&info), AEAD_KEY_BYTES, ret_key);
}

static void version_context(struct buf *aad, const struct envelope_context *context)
{
	buf_init(aad, CONTEXT_MAX);
	add_header(aad, PURPOSE_CREDENTIAL, context->generation);
	buf_add_str(aad, ID_BYTES(&context->tenant));
	buf_add_str(aad, ID_BYTES(&context->credential));
	add_sized(aad, context->type);
	add_u32(aad, context->version);
}

enum err envelope_seal(const struct secret *tenant_key, const struct envelope_context *context,
		       struct str plain, struct buf *out)
{
	SECRET_AUTO struct secret key = SECRET_EMPTY;
	BUF_AUTO struct buf aad = { 0 };

	version_context(&aad, context);
	TRY(version_key(tenant_key, context, &key));
	return seal(&key, str_slice(buf_str(&aad), 0, ENVELOPE_HEADER_BYTES), &aad, plain, out);
}

enum err envelope_open(const struct secret *tenant_key, const struct envelope_context *context,
		       struct str sealed, struct secret *ret_plain)
{
	SECRET_AUTO struct secret key = SECRET_EMPTY;
	BUF_AUTO struct buf aad = { 0 };

	*ret_plain = SECRET_EMPTY;
	version_context(&aad, context);
	TRY(one_failure(version_key(tenant_key, context, &key)));
	return open_sealed(&key, ENVELOPE_HEADER_BYTES, &aad, sealed, ret_plain);
}

enum err envelope_generation(struct str sealed, uint32_t *ret_generation)
{
	const uint8_t *p = (const uint8_t *)sealed.p;

	*ret_generation = 0;
	if (sealed.n < ENVELOPE_OVERHEAD || p[0] != FORMAT ||
	    (p[1] != PURPOSE_TENANT_KEY && p[1] != PURPOSE_CREDENTIAL))
		return ERR_UNREADABLE;
	for (int i = 0; i < 4; i++)
		*ret_generation = *ret_generation << 8 | p[GENERATION_AT + i];
	return OK;
}

/* --- small things -------------------------------------------------------- */

/* The key for a label and a context; the context is authenticated by being in the key. */
static enum err small_key(const struct root_key *root, struct str label, struct byte_parts context,
			  struct secret *ret_key)
{
	BUF_AUTO struct buf info = { 0 };

	*ret_key = SECRET_EMPTY;
	buf_init(&info, CONTEXT_MAX);
	buf_add_c(&info, "latchwork sealed v1");
	add_sized(&info, label);
	for (size_t i = 0; i < context.n; i++)
		add_sized(&info, context.v[i]);
	TRY(buf_error(&info));
	return hkdf_sha256(&root->key, STR_NONE, buf_str(&info), AEAD_KEY_BYTES, ret_key);
}

static void small_header(struct buf *aad, const struct root_key *root)
{
	struct str id = root_key_id(root);
	const uint8_t bytes[ROOT_ID_AT] = { FORMAT, PURPOSE_SMALL, (uint8_t)id.n };

	buf_init(aad, CONTEXT_MAX);
	buf_add(aad, bytes, sizeof(bytes));
	buf_add_str(aad, id);
}

enum err envelope_seal_with(const struct root_key *root, struct str label,
			    struct byte_parts context, struct str plain, struct buf *out)
{
	SECRET_AUTO struct secret key = SECRET_EMPTY;
	BUF_AUTO struct buf aad = { 0 };

	small_header(&aad, root);
	TRY(small_key(root, label, context, &key));
	return seal(&key, buf_str(&aad), &aad, plain, out);
}

enum err envelope_open_with(const struct root_key *root, struct str label,
			    struct byte_parts context, struct str sealed, struct secret *ret_plain)
{
	SECRET_AUTO struct secret key = SECRET_EMPTY;
	BUF_AUTO struct buf aad = { 0 };

	*ret_plain = SECRET_EMPTY;
	small_header(&aad, root);
	TRY(one_failure(small_key(root, label, context, &key)));
	return open_sealed(&key, buf_str(&aad).n, &aad, sealed, ret_plain);
}

enum err envelope_root_id(struct str sealed, struct str *ret_root_id)
{
	const uint8_t *p = (const uint8_t *)sealed.p;

	*ret_root_id = STR_NONE;
	if (sealed.n < ROOT_ID_AT || p[0] != FORMAT || p[1] != PURPOSE_SMALL ||
	    p[2] > sealed.n - ROOT_ID_AT)
		return ERR_UNREADABLE;
	*ret_root_id = str_slice(sealed, ROOT_ID_AT, p[2]);
	if (keyring_id_valid(*ret_root_id))
		return OK;
	*ret_root_id = STR_NONE;
	return ERR_UNREADABLE;
}
