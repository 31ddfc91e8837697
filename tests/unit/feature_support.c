#include "feature_support.h"

#include <unistd.h>

#include "base/arena.h"
#include "store/migrate.h"

struct private_mariadb server;
char key_directory[64];
struct config config;

enum { ARENA_BYTES = 8 << 20 };

static const struct migrate_account ACCOUNTS[] = {
	{ "front", "front", "localhost" },
	{ "vault", "vault", "localhost" },
	{ "worker", "worker", "localhost" },
	{ "ctl", "ctl", "localhost" },
};

struct db *connect_as(const char *user)
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

static void make_first_key(char ret_id[KEYRING_ID_MAX + 1])
{
	char why[KEYRING_WHY_MAX];

	snprintf(key_directory, sizeof(key_directory), "/tmp/lw-test-keys-XXXXXX");
	assert_non_null(mkdtemp(key_directory));
	make_root_key(ret_id);
	assert_ok(keyring_set_current(key_directory, str_of(ret_id), why));
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

void start_feature(char ret_key[KEYRING_ID_MAX + 1])
{
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
	make_first_key(ret_key);
}

int stop_feature(void **state)
{
	(void)state;
	clean_up();
	return 0;
}

struct keyring *open_key_directory(void)
{
	char why[KEYRING_WHY_MAX];
	struct keyring *keyring;

	assert_ok(keyring_open(key_directory, NULL, why, &keyring));
	return keyring;
}

void open_context(struct ctx *cx, const char *user)
{
	cx->arena = arena_new(ARENA_BYTES);
	assert_non_null(cx->arena);
	cx->db = connect_as(user);
	cx->config = &config;
}

void close_context(struct ctx *cx)
{
	keyring_free(cx->vault_keys);
	keyring_free(cx->front_keys);
	db_free(cx->db);
	arena_free(cx->arena);
}
