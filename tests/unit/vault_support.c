#include "vault_support.h"

#include "base/clock.h"
#include "crypt/encode.h"
#include "vault/root_key.h"
#include "vault/seal.h"

int start_vault(void **state)
{
	char key[KEYRING_ID_MAX + 1];
	struct ctx *cx;

	(void)state;
	config = (struct config){ .credentials_versions_kept = 3, .credentials_retention_ms = 1000 };
	start_feature(key);
	cx = open_vault("ctl", &ID_NIL);
	assert_ok(
		vault_register_key(cx->db, cx->vault_keys, VAULT_PURPOSE, str_of(key), cx->now_ms));
	close_vault(cx);
	return 0;
}

int empty_vault(void **state)
{
	(void)state;
	private_mariadb_run(
		&server, "latchwork",
		"DELETE FROM credential_version; DELETE FROM credential; DELETE FROM tenant_key;"
		"DELETE FROM tenant; DELETE FROM audit;"
		"INSERT INTO tenant (tenant_id, name, created_at) VALUES"
		"(RPAD(x'aa01', 16, x'00'), 'A', 1), (RPAD(x'bb02', 16, x'00'), 'B', 1)");
	return 0;
}

struct ctx *open_vault(const char *pool, const struct id *tenant)
{
	struct ctx *cx = calloc(1, sizeof(*cx));

	assert_non_null(cx);
	open_context(cx, pool);
	cx->now_ms = clock_now_ms();
	cx->vault_keys = open_key_directory();
	cx->who = (struct principal){
		.who = WHO_USER, .tenant = *tenant, .user = USER_A, .role = ROLE_ADMIN, .live = true
	};
	if (id_is_nil(tenant))
		cx->who = (struct principal){ .who = WHO_SYSTEM, .live = true };
	ctx_enter(cx);
	return cx;
}

void close_vault(struct ctx *cx)
{
	close_context(cx);
	free(cx);
}

json_t *tree(struct ctx *cx, const char *text)
{
	json_t *json;

	assert_ok(json_read(cx->arena, str_of(text), &json, NULL));
	return json;
}

static enum err end(struct ctx *cx, enum err e)
{
	if (e == OK)
		return db_commit(cx->db);
	db_rollback(cx->db);
	return e;
}

enum err store(struct ctx *cx, const char *type, const char *data, struct id *ret_id)
{
	const struct vault_new new = { .name = STR("a name"),
				       .type = str_of(type),
				       .data = tree(cx, data) };
	struct credential c;
	enum err e;

	problem_clear(&cx->problem);
	TRY(db_begin(cx->db));
	e = vault_create(cx, &new, &c);
	if (e == OK && ret_id)
		*ret_id = c.id;
	return end(cx, e);
}

enum err change(struct ctx *cx, const struct id *id, const char *data)
{
	const struct vault_change change = { .data = tree(cx, data) };
	struct credential c;
	bool changed;
	enum err e;

	problem_clear(&cx->problem);
	TRY(db_begin(cx->db));
	e = vault_lock(cx, id, &c);
	if (e == OK)
		e = vault_change(cx, &c, &change, &changed);
	return end(cx, e);
}

enum err plain_of(struct ctx *cx, const struct id *id, struct secret *ret_plain)
{
	int64_t version;

	return vault_open(cx, id, (struct opt_int){ 0 }, &version, ret_plain);
}

void assert_opens_as(struct ctx *cx, const struct id *id, const char *plain)
{
	SECRET_AUTO struct secret opened = SECRET_EMPTY;

	assert_ok(plain_of(cx, id, &opened));
	assert_str(secret_str(&opened), plain);
}

static void fill(char sql[1024], const char *format, const struct id *id)
{
	char hex[HEX_CHARS(16) + 1], *at;

	hex_encode_to((struct str){ (const char *)id->b, 16 }, hex);
	snprintf(sql, 1024, "%s", format);
	while ((at = strstr(sql, "ID"))) {
		char rest[1024];

		snprintf(rest, sizeof(rest), "%s", at + 2);
		snprintf(at, (size_t)(1024 - (at - sql)), "x'%s'%s", hex, rest);
	}
}

long number_of(const char *format, const struct id *id)
{
	char sql[1024];

	fill(sql, format, id);
	return private_mariadb_number(&server, "latchwork", sql);
}

void run_sql(const char *format, const struct id *id)
{
	char sql[1024];

	fill(sql, format, id);
	private_mariadb_run(&server, "latchwork", sql);
}
