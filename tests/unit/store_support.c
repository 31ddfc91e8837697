#include "store_support.h"

#include <time.h>
#include <unistd.h>

struct private_mariadb server;

void run_fixture(const char *name)
{
	const char *source = getenv("top_srcdir");
	char path[512];

	snprintf(path, sizeof(path), "%s/tests/gen/fixtures/sql/%s", source ? source : ".", name);
	private_mariadb_run_file(&server, "fixture", path);
}

int start_server(void **state)
{
	(void)state;
	if (!private_mariadb_start(&server)) {
		fprintf(stderr, "no mariadbd here: skipped\n");
		exit(77);
	}
	private_mariadb_run(
		&server, NULL,
		"CREATE DATABASE fixture CHARACTER SET utf8mb4; CREATE USER front@localhost;");
	run_fixture("migrations/0001_note.sql");
	run_fixture("views.sql");
	/* What grants.sql says for the front. */
	private_mariadb_run(&server, "fixture",
			    "GRANT SELECT, INSERT, UPDATE ON counter TO front@localhost;"
			    "GRANT SELECT, INSERT, UPDATE ON session TO front@localhost;"
			    "GRANT SELECT, INSERT, UPDATE, DELETE ON v_note TO front@localhost;");
	return 0;
}

int stop_server(void **state)
{
	(void)state;
	private_mariadb_stop(&server);
	return 0;
}

void enter(struct db *db, const struct id *tenant)
{
	struct db_scope scope = { .has_tenant = true, .live_checked = true, .tenant = *tenant };

	db_enter(db, &scope);
}

struct db *open_front(const struct id *tenant)
{
	struct db_options options = { .socket = server.socket,
				      .user = "front",
				      .database = "fixture" };
	struct db *db;

	assert_ok(db_new(&options, &db));
	if (tenant)
		enter(db, tenant);
	return db;
}

struct id note_id(uint8_t number) { return (struct id){ { 1, 2, 3, number } }; }

enum err add_note(struct db *db, uint8_t number, const char *title)
{
	struct sql_note_insert_in in = { .note_id = note_id(number), .title = str_of(title) };

	return sql_note_insert(db, &in, NULL);
}

int64_t connection_number(struct db *db)
{
	struct sql_fix_connection_id_row row;

	assert_ok(sql_fix_connection_id(db, &row));
	return row.id;
}

void kill_connection(struct db *db)
{
	struct timespec pause = { 0, 10 * 1000000 };
	char sql[128];
	int64_t number = connection_number(db);

	snprintf(sql, sizeof(sql), "KILL CONNECTION %lld", (long long)number);
	private_mariadb_run(&server, NULL, sql);
	snprintf(sql, sizeof(sql),
		 "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE ID = %lld",
		 (long long)number);
	while (private_mariadb_number(&server, NULL, sql) > 0)
		nanosleep(&pause, NULL);
}
