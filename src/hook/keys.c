#include "hook/keys.h"

#include <string.h>

#include "crypt/envelope.h"
#include "crypt/keyring.h"

#define KEYS_LABEL STR("latchwork webhook keys v1")

void key_list_init(struct key_list *list)
{
	*list = (struct key_list){ 0 };
	buf_init(&list->text, HOOK_KEYS_SEALED_MAX);
}

void key_list_done(struct key_list *list)
{
	secret_done(&list->plain);
	buf_done(&list->text);
	list->n = 0;
}

/* Two bytes of length, big-endian, before each text. */
static void add_piece(struct buf *out, struct str piece)
{
	buf_add_char(out, (char)(piece.n >> 8));
	buf_add_char(out, (char)piece.n);
	buf_add_str(out, piece);
}

static bool take_piece(struct str *rest, struct str *ret_piece)
{
	size_t n;

	if (rest->n < 2)
		return false;
	n = (size_t)((unsigned char)rest->p[0] << 8 | (unsigned char)rest->p[1]);
	if (rest->n - 2 < n)
		return false;
	*ret_piece = (struct str){ rest->p + 2, n };
	*rest = (struct str){ rest->p + 2 + n, rest->n - 2 - n };
	return true;
}

static bool is_there(const struct key_list *list, struct str field, struct str bytes)
{
	struct str rest = buf_str(&list->text), known_field, known_bytes;

	while (take_piece(&rest, &known_field) && take_piece(&rest, &known_bytes))
		if (str_eq(known_field, field) && str_eq(known_bytes, bytes))
			return true;
	return false;
}

enum err key_list_add(struct key_list *list, struct str field, struct str bytes)
{
	if (field.n > UINT16_MAX || bytes.n > UINT16_MAX)
		return ERR_TOO_BIG;
	if (is_there(list, field, bytes))
		return OK;
	add_piece(&list->text, field);
	add_piece(&list->text, bytes);
	return buf_error(&list->text);
}

enum err key_list_seal(struct ctx *cx, const struct id *connector, const struct key_list *list, struct buf *out)
{
	return envelope_seal_with(keyring_current(cx->front_keys), KEYS_LABEL,
				  BYTES(ID_BYTES(&cx->who.tenant), ID_BYTES(connector)), buf_str(&list->text), out);
}

static enum err read_pieces(struct str rest, struct key_list *list)
{
	while (rest.n > 0) {
		struct hook_key *key = &list->v[list->n];

		if (list->n == HOOK_KEYS_MAX || !take_piece(&rest, &key->field) || !take_piece(&rest, &key->bytes))
			return ERR_UNREADABLE;
		list->n++;
	}
	return OK;
}

/* Both lists of a connector are opened into one: what was opened before moves along. */
static enum err keep(struct key_list *list, struct str plain)
{
	struct secret longer;

	TRY(secret_new(list->plain.n + plain.n, &longer));
	if (list->plain.n > 0)
		memcpy(longer.p, list->plain.p, list->plain.n);
	if (plain.n > 0)
		memcpy(longer.p + list->plain.n, plain.p, plain.n);
	secret_done(&list->plain);
	list->plain = longer;
	list->n = 0;
	return read_pieces(secret_str(&list->plain), list);
}

enum err key_list_open(struct ctx *cx, const struct id *connector, struct str sealed, struct key_list *list)
{
	SECRET_AUTO struct secret plain = SECRET_EMPTY;
	const struct root_key *root;
	struct str root_id;

	if (str_absent(sealed))
		return OK;
	TRY(envelope_root_id(sealed, &root_id));
	TRY(keyring_find(cx->front_keys, root_id, NULL, &root));
	TRY(envelope_open_with(root, KEYS_LABEL, BYTES(ID_BYTES(&cx->who.tenant), ID_BYTES(connector)), sealed,
			       &plain));
	return keep(list, secret_str(&plain));
}
