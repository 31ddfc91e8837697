#include "vault_support.h"

#include <unistd.h>

#include "base/arena.h"
#include "base/clock.h"
#include "crypt/encode.h"
#include "store/migrate.h"
#include "vault/root_key.h"
#include "vault/seal.h"

struct private_mariadb server;
char key_directory[64];
struct config config = { .credentials_versions_kept = 3, .credentials_retention_ms = 1000 };

enum { ARENA_BYTES = 8 << 20 };

static const struct migrate_account ACCOUNTS[] = {
	{ "front", "front", "localhost" },
	{ "vault", "vault", "localhost" },
	{ "worker", "worker", "localhost" },
	{ "ctl", "ctl", "localhost" },
};

static struct db *connect_as(const char *user)
{
	const struct db_options options = { .socket = server.socket,
					    .user = user,
					    .database = "latchwork" };
	struct db *db;

	assert_ok(db_new(&options, &db));
	return db;
}

static void path_in(const char *variable, const char *name, char path[512])
{
	const char *directory = getenv(variable);

	snprintf(path, 512, "%s/%s", directory ? directory : ".", name);
}

static void migrate(void)
{
	char migrations[512], views[512], grants[512];
	const struct migrate_options options = {
		.directory = migrations,
		.views = views,
		.grants = grants,
		.accounts = ACCOUNTS,
		.account_count = ARRAY_SIZE(ACCOUNTS),
	};
	struct migrate_result result;
	struct db *db = connect_as("root");

	path_in("top_srcdir", "sql/migrations", migrations);
	path_in("top_srcdir", "sql/views.sql", views);
	path_in("top_builddir", "sql/grants.sql", grants);
	assert_ok(migrate_run(db, &options, &result));
	db_free(db);
}

void make_root_key(char ret_id[KEYRING_ID_MAX + 1])
{
	char why[KEYRING_WHY_MAX];

	assert_ok(keyring_create(key_directory, NULL, 0400, why, ret_id));
}

static void make_first_key(void)
{
	char id[KEYRING_ID_MAX + 1], why[KEYRING_WHY_MAX];
	struct ctx *cx;

	snprintf(key_directory, sizeof(key_directory), "/tmp/lw-test-keys-XXXXXX");
	assert_non_null(mkdtemp(key_directory));
	make_root_key(id);
	assert_ok(keyring_set_current(key_directory, str_of(id), why));
	cx = open_vault("ctl", &ID_NIL);
	assert_ok(
		vault_register_key(cx->db, cx->vault_keys, VAULT_PURPOSE, str_of(id), cx->now_ms));
	close_vault(cx);
}

/* Also when a setup failed half-way; the children that tests fork leave with _exit. */
static void clean_up(void)
{
	private_mariadb_stop(&server);
	if (key_directory[0] != '\0') {
		char command[128];

		snprintf(command, sizeof(command), "rm -rf %s", key_directory);
		if (system(command) != 0)
			fprintf(stderr, "%s is still there\n", key_directory);
	}
	key_directory[0] = '\0';
}

int start_vault(void **state)
{
	(void)state;
	assert_ok(json_setup());
	if (!private_mariadb_start(&server)) {
		fprintf(stderr, "no mariadbd here: skipped\n");
		exit(77);
	}
	assert_int_equal(atexit(clean_up), 0);
	private_mariadb_run(&server, NULL,
			    "CREATE DATABASE latchwork CHARACTER SET utf8mb4;"
			    "CREATE USER front@localhost; CREATE USER vault@localhost;"
			    "CREATE USER worker@localhost; CREATE USER ctl@localhost;");
	migrate();
	make_first_key();
	return 0;
}

int stop_vault(void **state)
{
	(void)state;
	clean_up();
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
	char why[KEYRING_WHY_MAX];

	assert_non_null(cx);
	cx->arena = arena_new(ARENA_BYTES);
	cx->db = connect_as(pool);
	cx->config = &config;
	cx->now_ms = clock_now_ms();
	assert_ok(keyring_open(key_directory, NULL, why, &cx->vault_keys));
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
	db_free(cx->db);
	keyring_free(cx->vault_keys);
	arena_free(cx->arena);
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
