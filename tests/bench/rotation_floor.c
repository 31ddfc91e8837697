/*
 * The floor of a key rotation: read a row, open it, seal it again, UPDATE it, and nothing else.
 *
 *	rotation_floor fill|rotate DATABASE_SOCKET USER DATABASE SELECT UPDATE
 *
 * SELECT  takes the id after which it goes on, and gives (id, number, sealed)
 * UPDATE  takes (sealed, the new key's name, id, number)
 *
 * Rows are taken in transactions as large as those of the product's rotation. `fill` replaces what is
 * there by sealed zeros of the same length; `rotate` opens and seals them, and prints what it did as
 * JSON: {"rows": 100000, "seconds": 9.5}.
 */
#include <mysql.h>
#include <nettle/gcm.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

enum { ID_BYTES = 16, SEALED_MAX = 128 << 10, BATCH = 500, NONCE = GCM_IV_SIZE, TAG = GCM_DIGEST_SIZE };

struct row {
	uint8_t id[ID_BYTES];
	int64_t number;
	uint8_t sealed[SEALED_MAX];
	unsigned long id_length, sealed_length;
};

static MYSQL *mysql;
static struct gcm_aes256_ctx gcm;

static void die(const char *what, const char *why)
{
	fprintf(stderr, "rotation_floor: %s: %s\n", what, why);
	exit(EXIT_FAILURE);
}

/* --- sealing ------------------------------------------------------------------ */

static void start_message(const uint8_t *nonce) { gcm_aes256_set_iv(&gcm, NONCE, nonce); }

/* nonce | ciphertext | tag, in place. */
static void open_row(struct row *row)
{
	size_t n = row->sealed_length - NONCE - TAG;
	uint8_t tag[TAG];

	start_message(row->sealed);
	gcm_aes256_decrypt(&gcm, n, row->sealed + NONCE, row->sealed + NONCE);
	gcm_aes256_digest(&gcm, TAG, tag);
	if (memcmp(tag, row->sealed + NONCE + n, TAG) != 0)
		die("a row", "it doesn't open");
}

static void seal_row(struct row *row)
{
	size_t n = row->sealed_length - NONCE - TAG;

	if (getrandom(row->sealed, NONCE, 0) != NONCE)
		die("the nonce", "no random bytes");
	start_message(row->sealed);
	gcm_aes256_encrypt(&gcm, n, row->sealed + NONCE, row->sealed + NONCE);
	gcm_aes256_digest(&gcm, TAG, row->sealed + NONCE + n);
}

static void set_key(void)
{
	uint8_t key[AES256_KEY_SIZE] = { 0 };

	gcm_aes256_set_key(&gcm, key);
}

/* --- the database --------------------------------------------------------------- */

static void run(const char *command)
{
	if (mysql_query(mysql, command))
		die(command, mysql_error(mysql));
}

static MYSQL_STMT *prepare(const char *sql, unsigned long parameters)
{
	MYSQL_STMT *statement = mysql_stmt_init(mysql);

	if (!statement || mysql_stmt_prepare(statement, sql, strlen(sql)))
		die(sql, mysql_error(mysql));
	if (mysql_stmt_param_count(statement) != parameters)
		die(sql, "another number of parameters");
	return statement;
}

static void set_id(MYSQL_BIND *bind, struct row *row)
{
	row->id_length = ID_BYTES;
	*bind = (MYSQL_BIND){
		.buffer_type = MYSQL_TYPE_BLOB, .buffer = row->id, .buffer_length = ID_BYTES, .length = &row->id_length
	};
}

static void set_number(MYSQL_BIND *bind, int64_t *number)
{
	*bind = (MYSQL_BIND){ .buffer_type = MYSQL_TYPE_LONGLONG, .buffer = number, .buffer_length = sizeof(*number) };
}

static void set_sealed(MYSQL_BIND *bind, struct row *row)
{
	*bind = (MYSQL_BIND){ .buffer_type = MYSQL_TYPE_BLOB,
			      .buffer = row->sealed,
			      .buffer_length = SEALED_MAX,
			      .length = &row->sealed_length };
}

static void select_batch(MYSQL_STMT *select, struct row *after, struct row *row)
{
	MYSQL_BIND in, out[3];

	set_id(&in, after);
	set_id(&out[0], row);
	set_number(&out[1], &row->number);
	set_sealed(&out[2], row);
	if (mysql_stmt_bind_param(select, &in) || mysql_stmt_execute(select) || mysql_stmt_bind_result(select, out) ||
	    mysql_stmt_store_result(select))
		die("SELECT", mysql_stmt_error(select));
}

static void update_row(MYSQL_STMT *update, int64_t *under, struct row *row)
{
	MYSQL_BIND in[4];

	set_sealed(&in[0], row);
	set_number(&in[1], under);
	set_id(&in[2], row);
	set_number(&in[3], &row->number);
	if (mysql_stmt_bind_param(update, in) || mysql_stmt_execute(update))
		die("UPDATE", mysql_stmt_error(update));
}

/* --- the walk ---------------------------------------------------------------------- */

static long walk(MYSQL_STMT *select, MYSQL_STMT *update, bool fill)
{
	static struct row after, row;
	int64_t under = time(NULL); /* another name than the last run's */
	long total = 0, rows;

	do {
		rows = 0;
		run("START TRANSACTION");
		select_batch(select, &after, &row);
		while (mysql_stmt_fetch(select) == 0) {
			if (fill)
				memset(row.sealed + NONCE, 0, row.sealed_length - NONCE - TAG);
			else
				open_row(&row);
			seal_row(&row);
			update_row(update, &under, &row);
			memcpy(after.id, row.id, ID_BYTES);
			rows++;
		}
		mysql_stmt_free_result(select);
		run("COMMIT");
		total += rows;
	} while (rows == BATCH);
	return total;
}

static double seconds_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
	bool fill = argc == 7 && strcmp(argv[1], "fill") == 0;
	double began;
	long rows;

	if (argc != 7 || (!fill && strcmp(argv[1], "rotate") != 0)) {
		fprintf(stderr, "usage: rotation_floor fill|rotate DATABASE_SOCKET USER DATABASE SELECT UPDATE\n");
		return 2;
	}
	mysql = mysql_init(NULL);
	if (!mysql || !mysql_real_connect(mysql, NULL, argv[3], "", argv[4], 0, argv[2], 0))
		die("the database", mysql ? mysql_error(mysql) : "no memory");
	run("SET SESSION tx_isolation = 'READ-COMMITTED'");
	set_key();
	began = seconds_now();
	rows = walk(prepare(argv[5], 1), prepare(argv[6], 4), fill);
	printf("{\"rows\": %ld, \"seconds\": %.3f}\n", rows, seconds_now() - began);
	mysql_close(mysql);
	return EXIT_SUCCESS;
}
