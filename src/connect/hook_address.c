#include "connect/hook_address.h"

#include <inttypes.h>

#include "base/secret.h"
#include "crypt/hash.h"

enum { SECRET_BYTES = 32, INFO_MAX = 80 };

enum err hook_secret_of(const struct root_key *root, const struct id *connector, int64_t generation,
			char ret_text[HOOK_SECRET_CHARS + 1])
{
	SECRET_AUTO struct secret derived = SECRET_EMPTY;
	BUF_AUTO struct buf info = { 0 };

	buf_init(&info, INFO_MAX);
	buf_add_c(&info, "latchwork webhook address v1");
	buf_add_str(&info, ID_BYTES(connector));
	buf_printf(&info, "%" PRId64, generation);
	TRY(buf_error(&info));
	TRY(hkdf_sha256(&root->key, STR_NONE, buf_str(&info), SECRET_BYTES, &derived));
	(void)base64url_encode_to(secret_str(&derived), ret_text);
	return OK;
}

enum err hook_address(struct ctx *cx, const struct connector *connector, struct buf *out)
{
	char secret[HOOK_SECRET_CHARS + 1];
	const struct root_key *root;

	if (!connector->hook_generation.set)
		return OK;
	TRY(keyring_find(cx->front_keys, connector->hook_root_key, NULL, &root));
	TRY(hook_secret_of(root, &connector->id, connector->hook_generation.v, secret));
	buf_printf(out, "%s/api/webhooks/%.*s/%s", cx->config->server_public_url, STR_ARG(connector->type), secret);
	wipe(secret, sizeof(secret));
	return buf_error(out);
}
