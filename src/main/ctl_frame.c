/* What latchctl's verbs share: opening, failing, printing. */
#include <inttypes.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "audit/audit.h"
#include "base/clock.h"
#include "base/json_write.h"
#include "crypt/keyring.h"
#include "identity/text.h"
#include "main/ctl.h"
#include "store/db.h"
#include "store/sql_member.h"
#include "store/sql_tenant.h"
#include "store/sql_user.h"

enum { ARENA_MAX = 64 << 20, SECRET_FILE_MAX = 4096, COLUMN_WIDTH = 32, NOTE_MAX = 2048 };

enum err ctl_fail(enum err e, const char *format, ...)
{
	va_list args;

	fputs("latchctl: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	return e;
}

enum err ctl_say(enum err e, const char *what) { return e == OK ? OK : ctl_fail(e, "%s: %s", what, err_words(e)); }

static void print_json_note(const char *text)
{
	BUF_AUTO struct buf line = { 0 };
	struct json_writer w;

	buf_init(&line, 1 << 16);
	jw_start(&w, &line);
	jw_object(&w);
	jw_put_text(&w, "note", str_of(text));
	jw_object_end(&w);
	printf("%.*s\n", STR_ARG(buf_str(&line)));
}

void ctl_note(const struct ctl *ctl, const char *format, ...)
{
	char text[NOTE_MAX];
	va_list args;

	if (ctl_option(ctl, "quiet"))
		return;
	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	if (ctl_option(ctl, "json"))
		print_json_note(text);
	else
		puts(text);
}

enum err ctl_say_field(const struct ctl *ctl, enum err e, const char *what)
{
	const struct problem *problem = &ctl->cx.problem;

	if (e == ERR_BAD_INPUT && problem->count > 0)
		return ctl_fail(e, "%s: %.*s", what, STR_ARG(problem->field[0].message));
	return ctl_say(e, what);
}

void ctl_progress(void *arg, int64_t done, int64_t total)
{
	const struct ctl *ctl = arg;

	if (ctl_option(ctl, "quiet") || !isatty(STDERR_FILENO))
		return;
	if (total > 0)
		fprintf(stderr, "\r%3" PRId64 " %%  %" PRId64 " of %" PRId64 "%s", done * 100 / total, done, total,
			done >= total ? "\n" : "");
	else
		fprintf(stderr, "\r%" PRId64, done);
}

/* --- opening ----------------------------------------------------------------- */

enum err ctl_open(struct ctl *ctl, enum account account, unsigned needs)
{
	struct ctx *cx = &ctl->cx;

	TRY(start_database(ctl->config, account, &cx->db));
	if (needs & CTL_FRONT_KEYS)
		TRY(start_keys(ctl->config, KEYS_FRONT, &cx->front_keys));
	if (needs & CTL_VAULT_KEYS)
		TRY(start_keys(ctl->config, KEYS_VAULT, &cx->vault_keys));
	cx->arena = arena_new(ARENA_MAX);
	if (!cx->arena)
		return ctl_say(ERR_NO_MEMORY, "starting");
	cx->config = ctl->config;
	cx->now_ms = clock_now_ms();
	cx->who = (struct principal){ .who = WHO_SYSTEM, .live = true };
	ctx_enter(cx);
	return ctl_say(db_ping(cx->db), "the database");
}

enum err ctl_enter_tenant(struct ctl *ctl, const char *id)
{
	const char *text = id ? id : ctl_option(ctl, "tenant");
	struct sql_tenant_get_row row;
	enum err e;

	if (!id_parse(ID_TENANT, str_of(text), &ctl->cx.who.tenant))
		return ctl_fail(ERR_BAD_INPUT, "%s is no tenant's id (ten-…)", text);
	ctx_enter(&ctl->cx);
	e = sql_tenant_get(ctl->cx.db, &row);
	if (e == ERR_NOT_FOUND || (e == OK && row.deleted_at.set))
		return ctl_fail(ERR_NOT_FOUND, "there is no tenant %s", text);
	return ctl_say(e, "the tenant");
}

enum err ctl_act_as(struct ctl *ctl)
{
	const char *email = ctl_option(ctl, "email");
	struct sql_user_by_email_row user;
	struct sql_member_get_row member = { 0 };
	struct str folded;
	enum err e;

	TRY(ctl_say(email_fold(ctl->cx.arena, str_of(email), &folded), email));
	e = sql_user_by_email(ctl->cx.db, &(struct sql_user_by_email_in){ folded }, &user);
	if (e == OK)
		e = sql_member_get(ctl->cx.db, &(struct sql_member_get_in){ user.user_id }, &member);
	if (e == ERR_NOT_FOUND)
		return ctl_fail(e, "%s is no member of the tenant", email);
	TRY(ctl_say(e, email));
	if (user.disabled_at.set)
		return ctl_fail(ERR_DENIED, "%s is disabled", email);
	ctl->cx.who.user = user.user_id;
	ctl->cx.who.role = role_parse(member.role);
	ctx_enter(&ctl->cx);
	return OK;
}

enum err ctl_secret(struct ctl *ctl, const char *option, struct secret *ret_secret)
{
	const char *path = ctl_option(ctl, option);
	enum err e = secret_read_file(path, SECRET_FILE_MAX, ret_secret);

	if (e == OK && ret_secret->n == 0)
		return ctl_fail(ERR_BAD_INPUT, "%s is empty", path);
	return ctl_say(e, path);
}

struct change {
	struct ctl *ctl;
	enum audit_action action;
	ctl_change_fn fn;
	void *arg;
};

/* Which of the system's users does it: the operator has no account of ours. */
static struct str operator_name(struct ctx *cx)
{
	const struct passwd *entry = getpwuid(getuid());

	return entry ? arena_copy(cx->arena, str_of(entry->pw_name)) :
		       arena_printf(cx->arena, "uid %u", (unsigned)getuid());
}

static enum err run_change(struct db *db, void *arg)
{
	const struct change *change = arg;
	struct ctx *cx = &change->ctl->cx;

	(void)db;
	cx->audit = (struct audit_note){ 0 };
	ctx_audit_detail(cx, "operator", operator_name(cx));
	TRY(change->fn(change->ctl, change->arg));
	return audit_write(cx, change->action, OK);
}

enum err ctl_change(struct ctl *ctl, enum audit_action action, ctl_change_fn fn, void *arg)
{
	return db_run(ctl->cx.db, run_change, &(struct change){ ctl, action, fn, arg });
}

/* --- lists ------------------------------------------------------------------- */

struct str ctl_time(struct opt_int ms, char text[TIME_TEXT_MAX])
{
	return ms.set ? time_format(ms.v, text) : STR_NONE;
}

static bool as_json(const struct ctl_list *list) { return ctl_option(list->ctl, "json") != NULL; }

void ctl_list_begin(struct ctl_list *list, const struct ctl *ctl, const char *const *columns, size_t count)
{
	*list = (struct ctl_list){ .ctl = ctl, .columns = columns, .count = count };
	if (as_json(list))
		putchar('[');
}

void ctl_object_begin(struct ctl_list *list, const struct ctl *ctl, const char *const *columns, size_t count)
{
	*list = (struct ctl_list){ .ctl = ctl, .columns = columns, .count = count, .single = true };
}

static void print_json_row(const struct ctl_list *list, const struct str *values)
{
	BUF_AUTO struct buf text = { 0 };
	struct json_writer w;

	buf_init(&text, 1 << 20);
	jw_start(&w, &text);
	jw_object(&w);
	for (size_t i = 0; i < list->count; i++)
		jw_put_text(&w, list->columns[i], values[i]);
	jw_object_end(&w);
	printf("%s%.*s", list->rows > 0 ? ",\n " : "", STR_ARG(buf_str(&text)));
}

/* Names and addresses are strangers' texts: what a terminal would obey (C0, DEL, C1) is shown as '?'. */
static void print_text(struct str text, size_t width)
{
	size_t n = 0;

	for (size_t i = 0; i < text.n && n < width; i++, n++) {
		unsigned char c = (unsigned char)text.p[i];
		bool c1 = c == 0xc2 && i + 1 < text.n && (unsigned char)text.p[i + 1] < 0xa0;

		i += c1;
		putchar(c < 0x20 || c == 0x7f || c1 ? '?' : c);
	}
	for (; n < width && width != SIZE_MAX; n++)
		putchar(' ');
}

static void print_cells(const struct ctl_list *list, const struct str *values)
{
	for (size_t i = 0; i < list->count; i++) {
		struct str cell = str_absent(values[i]) ? STR("-") : values[i];

		print_text(cell, i + 1 == list->count ? SIZE_MAX : COLUMN_WIDTH);
		fputs(i + 1 == list->count ? "\n" : "  ", stdout);
	}
}

void ctl_list_row(struct ctl_list *list, const struct str *values)
{
	struct str head[CTL_COLUMNS_MAX];

	if (as_json(list)) {
		print_json_row(list, values);
	} else if (list->single) {
		for (size_t i = 0; i < list->count; i++) {
			printf("%-20s ", list->columns[i]);
			print_text(str_absent(values[i]) ? STR("-") : values[i], SIZE_MAX);
			putchar('\n');
		}
	} else {
		for (size_t i = 0; list->rows == 0 && i < list->count; i++)
			head[i] = str_of(list->columns[i]);
		if (list->rows == 0)
			print_cells(list, head);
		print_cells(list, values);
	}
	list->rows++;
}

void ctl_list_end(struct ctl_list *list)
{
	if (as_json(list))
		puts(list->single ? "" : "]");
}

enum err ctl_list_pages(const struct ctl *ctl, const struct ctl_pages *pages)
{
	struct id behind = pages->start;
	struct ctl_list list;
	size_t before;
	enum err e;

	ctl_list_begin(&list, ctl, pages->columns, pages->count);
	do {
		before = list.rows;
		TRY(ctl_say(pages->page(ctl->cx.db, &behind), pages->what));
		do
			e = pages->row(&list, &behind);
		while (e == OK);
	} while (e == ERR_END && list.rows - before == CTL_PAGE);
	ctl_list_end(&list);
	return e == ERR_END ? OK : ctl_say(e, pages->what);
}
