/* latchctl migrate, config, mail, completion, help. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/free.h"
#include "base/json_read.h"
#include "base/json_write.h"
#include "identity/outbox.h"
#include "main/ctl.h"
#include "store/migrate.h"
#include "store/sql_mail.h"

enum { MAIL_LIST_MAX = 200 };

/* --- migrate ----------------------------------------------------------------------- */

static void show_file(void *arg, const char *file, size_t done, size_t statements)
{
	ctl_progress(arg, (int64_t)done, (int64_t)statements);
	if (done == statements)
		ctl_note(arg, "%s", file);
}

enum err ctl_migrate(struct ctl *ctl)
{
	const struct config *config = ctl->config;
	const struct migrate_account accounts[] = {
		{ "front", config->database_front_user, "localhost" },
		{ "vault", config->database_vault_user, "localhost" },
		{ "worker", config->database_worker_user, "localhost" },
		{ "ctl", config->database_ctl_user, "localhost" },
	};
	const struct migrate_options options = {
		.directory = LATCHWORK_DATADIR "/sql/migrations",
		.views = LATCHWORK_DATADIR "/sql/views.sql",
		.grants = LATCHWORK_DATADIR "/sql/grants.sql",
		.accounts = accounts,
		.account_count = ARRAY_SIZE(accounts),
		.progress = show_file,
		.progress_arg = ctl,
	};
	struct migrate_result result;

	TRY(ctl_open(ctl, ACCOUNT_ADMIN, 0));
	TRY(ctl_say(migrate_run(ctl->cx.db, &options, &result), "the migration"));
	ctl_note(ctl, "the schema is at version %" PRId64 "; %zu files were applied", result.version_now,
		 result.files_applied);
	return OK;
}

/* {"section.key": "value"}, from the text that config_print made. */
static void print_config_json(struct str text)
{
	BUF_AUTO struct buf out = { 0 };
	struct str section = STR("");
	struct json_writer w;
	char name[128];

	buf_init(&out, 1 << 20);
	jw_start(&w, &out);
	jw_object(&w);
	while (text.n > 0) {
		struct str line = str_cut(&text, '\n'), value = line;
		struct str key = str_trim(str_cut(&value, '='));

		if (str_starts(line, STR("[")))
			section = str_slice(line, 1, line.n - 2);
		if (str_absent(value))
			continue;
		snprintf(name, sizeof name, "%.*s.%.*s", STR_ARG(section), STR_ARG(key));
		jw_put_text(&w, name, str_trim(value));
	}
	jw_object_end(&w);
	printf("%.*s\n", STR_ARG(buf_str(&out)));
}

enum err ctl_config(struct ctl *ctl)
{
	FREE_AUTO char *text = NULL;
	size_t n = 0;
	FILE *memory;

	if (!ctl_option(ctl, "json")) {
		config_print(ctl->config, stdout);
		return OK;
	}
	memory = open_memstream(&text, &n);
	if (!memory)
		return ctl_say(ERR_NO_MEMORY, "the configuration");
	config_print(ctl->config, memory);
	fclose(memory);
	print_config_json((struct str){ text, n });
	return OK;
}

/* --- mail -------------------------------------------------------------------------- */

static const char *const MAIL_COLUMNS[] = { "created_at", "kind", "recipient", "link" };

static enum err print_mail(struct ctl *ctl, struct ctl_list *list, const struct sql_mail_unsent_row *row)
{
	SECRET_AUTO struct secret text = SECRET_EMPTY;
	char time[TIME_TEXT_MAX];
	json_t *mail;

	TRY(mail_open(ctl->cx.front_keys, &row->mail_id, row->recipient, row->payload, &text));
	TRY(json_read(ctl->cx.arena, secret_str(&text), &mail, NULL));
	ctl_list_row(list, (const struct str[]){ time_format(row->created_at, time), row->kind, row->recipient,
						 json_member_text(mail, "link") });
	return OK;
}

enum err ctl_mail(struct ctl *ctl)
{
	const char *to = ctl_option(ctl, "to");
	const struct sql_mail_unsent_in in = {
		.before = ID_MAX, .recipient = to ? str_of(to) : STR_NONE, .limit = MAIL_LIST_MAX
	};
	struct sql_mail_unsent_row row;
	struct ctl_list list;
	enum err e;

	TRY(ctl_open(ctl, ACCOUNT_CTL, CTL_FRONT_KEYS));
	TRY(ctl_say(sql_mail_unsent(ctl->cx.db, &in), "the outbox"));
	ctl_list_begin(&list, ctl, MAIL_COLUMNS, ARRAY_SIZE(MAIL_COLUMNS));
	while ((e = sql_mail_unsent_next(ctl->cx.db, &row)) == OK)
		TRY(ctl_say(print_mail(ctl, &list, &row), "a mail"));
	ctl_list_end(&list);
	return e == ERR_END ? OK : ctl_say(e, "the outbox");
}

/* --- help -------------------------------------------------------------------------- */

enum err ctl_help(struct ctl *ctl)
{
	const char *about = ctl->argument[0];
	size_t shown = 0;

	for (size_t i = 0; i < CTL_VERB_COUNT; i++) {
		const struct ctl_verb *verb = &CTL_VERBS[i];

		if (about && strncmp(verb->name, about, strlen(about)) != 0)
			continue;
		printf("latchctl %s %s\n    %s\n", verb->name, verb->usage, verb->words);
		shown++;
	}
	if (shown == 0)
		return ctl_fail(ERR_NOT_FOUND, "there is no verb %s", about);
	if (!about)
		puts("Every verb takes [--config FILE] [--json] [--quiet]. See latchctl(1).");
	return OK;
}

/* bash asks with the words so far; the verbs and the options of their usages are what it may be told. */
enum err ctl_completion(struct ctl *ctl)
{
	if (strcmp(ctl->argument[0], "bash") != 0)
		return ctl_fail(ERR_BAD_INPUT, "there is a completion for bash only");
	puts("_latchctl() {\n"
	     "\tlocal word=${COMP_WORDS[COMP_CWORD]} line=\"${COMP_WORDS[*]:1:COMP_CWORD-1}\" words=\n"
	     "\tcase $line in");
	for (size_t i = 0; i < CTL_VERB_COUNT; i++)
		printf("\t'%s'*) words='%s --config --json --quiet' ;;\n", CTL_VERBS[i].name, CTL_VERBS[i].usage);
	puts("\t*) words='");
	for (size_t i = 0; i < CTL_VERB_COUNT; i++)
		printf("%s\n", CTL_VERBS[i].name);
	puts("'\n"
	     "\t\t[ -n \"$line\" ] && words=$(grep \"^$line \" <<<\"$words\" | cut -d' ' -f2) || words=$(cut -d' ' -f1 <<<\"$words\") ;;\n"
	     "\tesac\n"
	     "\tCOMPREPLY=($(compgen -W \"$(tr -d '[]' <<<\"$words\" | tr ' ' '\\n' | grep -v '^[A-Z.]*$')\" -- \"$word\"))\n"
	     "}\n"
	     "complete -F _latchctl latchctl");
	return OK;
}
