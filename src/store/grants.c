/*
 * GRANT and REVOKE for the pools' accounts.
 *
 * They can't be prepared, so this is the one place that puts names into SQL.
 * Names come from the build and from the operator's configuration, never from
 * a request, and are checked letter by letter all the same.
 */
#include "store/grants.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/log.h"
#include "store/private.h"
#include "store/sql_migrate.h"

enum { SQL_MAX = 64 << 10 };

static bool is_plain(struct str name)
{
	static const char allowed[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.%:";

	for (size_t i = 0; i < name.n; i++)
		if (!memchr(allowed, name.p[i], sizeof(allowed) - 1))
			return false;
	return name.n > 0;
}

static const struct migrate_account *account_of(const struct migrate_options *options,
						struct str pool)
{
	for (size_t i = 0; i < options->account_count; i++)
		if (str_eq(pool, str_of(options->accounts[i].pool)))
			return &options->accounts[i];
	return NULL;
}

static enum err add_account(struct buf *out, const struct migrate_account *account)
{
	if (!is_plain(str_of(account->user)) || !is_plain(str_of(account->host))) {
		log_write(LOG_ERROR, "a database account's name holds what it can't",
			  LOG_FIELDS(log_text("pool", account->pool)));
		return ERR_CONFIG;
	}
	buf_printf(out, "'%s'@'%s'", account->user, account->host);
	return buf_error(out);
}

/* `GRANT SELECT ON v_x TO @front@`: the part in front of the first at sign, and the pool. */
static bool parse_grant(struct str line, struct str *ret_front, struct str *ret_pool)
{
	struct str rest = str_trim(line);

	if (!str_eq(str_slice(rest, 0, str_find(rest, ' ')), STR("GRANT")))
		return false;
	*ret_front = str_cut(&rest, '@');
	*ret_pool = str_cut(&rest, '@');
	return !str_absent(rest);
}

static enum err grant_line(struct db *db, struct str line, const struct migrate_options *options)
{
	BUF_AUTO struct buf sql = { 0 };
	const struct migrate_account *account;
	struct str front, pool;

	if (!parse_grant(line, &front, &pool))
		return OK;
	account = account_of(options, pool);
	if (!account)
		return OK;
	buf_init(&sql, SQL_MAX);
	buf_add_str(&sql, front);
	TRY(add_account(&sql, account));
	return migrate_command(db, "GRANT", buf_str(&sql), NULL);
}

/* --- taking back ------------------------------------------------------------ */
static const struct migrate_account *account_of_grantee(const struct migrate_options *options,
							struct str grantee)
{
	char name[256];

	for (size_t i = 0; i < options->account_count; i++) {
		const struct migrate_account *a = &options->accounts[i];
		int n = snprintf(name, sizeof(name), "'%s'@'%s'", a->user, a->host);

		if (n > 0 && (size_t)n < sizeof(name) && str_eq(grantee, str_of(name)))
			return a;
	}
	return NULL;
}

static bool line_names(struct str front, struct str object, struct str privilege)
{
	struct str list = str_slice(front, str_find(front, ' ') + 1, front.n);
	struct str words = list;

	/* "SELECT, INSERT ON v_x TO " */
	while (!str_absent(words)) {
		struct str word = str_cut(&words, ' ');

		if (str_eq(word, STR("ON")))
			break;
	}
	if (str_absent(words) || !str_eq(str_cut(&words, ' '), object))
		return false;
	for (struct str word; !str_absent(list);) {
		word = str_cut(&list, ' ');
		if (str_ends(word, STR(",")))
			word.n--;
		if (str_eq(word, STR("ON")))
			return false;
		if (str_eq(word, privilege))
			return true;
	}
	return false;
}

static bool is_wanted(struct str text, const char *pool, struct str object, struct str privilege)
{
	struct str front, of;

	while (!str_absent(text)) {
		if (parse_grant(str_cut(&text, '\n'), &front, &of) && str_eq(of, str_of(pool)) &&
		    line_names(front, object, privilege))
			return true;
	}
	return false;
}

static enum err take_back(struct db *db, const struct sql_migration_grants_row *held,
			  const struct migrate_account *account)
{
	BUF_AUTO struct buf sql = { 0 };

	if (!is_plain(held->object))
		return ERR_CONFLICT;
	buf_init(&sql, SQL_MAX);
	buf_add_c(&sql, "REVOKE");
	buf_printf(&sql, " %.*s ON `%.*s` FROM ", STR_ARG(held->privilege), STR_ARG(held->object));
	TRY(add_account(&sql, account));
	log_write(LOG_INFO, "a grant is taken back",
		  LOG_FIELDS(log_str("account", held->grantee), log_str("on", held->object),
			     log_str("privilege", held->privilege)));
	return migrate_command(db, "REVOKE", buf_str(&sql), NULL);
}

static enum err take_back_the_rest(struct db *db, struct str text,
				   const struct migrate_options *options)
{
	struct sql_migration_grants_row held;
	enum err e;

	TRY(sql_migration_grants(db));
	while ((e = sql_migration_grants_next(db, &held)) == OK) {
		const struct migrate_account *account = account_of_grantee(options, held.grantee);

		if (account && !is_wanted(text, account->pool, held.object, held.privilege))
			TRY(take_back(db, &held, account));
	}
	return e == ERR_END ? OK : e;
}

enum err grants_apply(struct db *db, struct str text, const struct migrate_options *options)
{
	struct str rest = text;

	while (!str_absent(rest))
		TRY(grant_line(db, str_cut(&rest, '\n'), options));
	return take_back_the_rest(db, text, options);
}
