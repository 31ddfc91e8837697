/* latchctl connector lint, list, show: the connector types of the configuration, and files that aren't there yet. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/json_read.h"
#include "connect/catalog.h"
#include "connect/catalog_answer.h"
#include "connect/catalog_file.h"
#include "connect/oauth.h"
#include "hook/scheme.h"
#include "main/ctl.h"

enum { ARENA_MAX = 64 << 20, LINE_MAX = 4096 };

/* --- lint ---------------------------------------------------------------------------- */

static const char *const FAULT_COLUMNS[] = { "file", "member", "fault" };

struct linting {
	struct ctl_list list;
	const char *file;
	size_t files;
};

static void list_fault(void *arg, const char *member, const char *words)
{
	struct linting *l = arg;
	const struct str row[] = { str_of(l->file), member[0] ? str_of(member) : STR_NONE,
				   str_of(words) };

	ctl_list_row(&l->list, row);
}

static void lint_key_field(const struct connector_type *type, struct str name, struct faults *faults)
{
	bool found = str_absent(name);

	for (size_t i = 0; i < type->fields; i++)
		found |= str_eq(type->field[i].name, name);
	if (!found)
		fault(faults, "there is no field %.*s", STR_ARG(name));
}

static void lint_webhook(const struct connector_type *type, struct faults *faults)
{
	size_t before = faults_enter(faults, STR("webhook"));
	struct hook_scheme scheme;
	const char *why;
	enum err e = hook_scheme_read(json_member(type->file, "webhook"), &scheme, &why);

	if (e == ERR_CONFIG)
		fault(faults, "%s: missing, unknown or not possible", why);
	for (size_t i = 0; e == OK && i < scheme.proofs; i++)
		lint_key_field(type, scheme.proof[i].key_field, faults);
	for (size_t i = 0; e == OK && i < scheme.handshakes; i++) {
		lint_key_field(type, scheme.handshake[i].check_field, faults);
		lint_key_field(type, scheme.handshake[i].store_field, faults);
	}
	faults_leave(faults, before);
}

/* A file that can't be read is a fault of it, too: the others are looked at. */
static enum err lint_file(void *arg, const char *path, struct str id)
{
	BUF_AUTO struct buf text = { 0 };
	struct linting *l = arg;
	struct faults faults = { .report = list_fault, .arg = l };
	struct connector_type *type;
	struct arena *arena;
	enum err e;

	l->file = path;
	l->files++;
	buf_init(&text, CATALOG_FILE_MAX + 1);
	e = catalog_read_file(path, &text);
	if (e == ERR_IO)
		fault(&faults, "%s", strerror(errno));
	if (e == ERR_IO)
		return OK;
	arena = arena_new(ARENA_MAX);
	if (!arena)
		return ERR_NO_MEMORY;
	e = catalog_read_type(arena, id, buf_str(&text), &faults, &type);
	if (e == OK && faults.count == 0)
		lint_webhook(type, &faults);
	arena_free(arena);
	return e;
}

static enum err lint_directory(const char *directory, struct linting *l)
{
	char why[CATALOG_WHY_MAX] = "";
	enum err e = directory[0] ? catalog_each_file(directory, lint_file, l, why) : OK;

	return e == OK ? OK : why[0] ? ctl_fail(e, "%s", why) : ctl_say(e, directory);
}

/* The id that a file's name stands for. */
static struct str id_of(const char *path)
{
	const char *slash = strrchr(path, '/');
	struct str name = str_of(slash ? slash + 1 : path);

	if (str_ends(name, STR(".json")))
		name.n -= strlen(".json");
	return name;
}

enum err ctl_connector_lint(struct ctl *ctl)
{
	struct linting l = { 0 };

	ctl_list_begin(&l.list, ctl, FAULT_COLUMNS, ARRAY_SIZE(FAULT_COLUMNS));
	for (size_t i = 0; i < CTL_ARGUMENTS_MAX && ctl->argument[i]; i++)
		TRY(ctl_say(lint_file(&l, ctl->argument[i], id_of(ctl->argument[i])),
			    ctl->argument[i]));
	if (!ctl->argument[0]) {
		TRY(lint_directory(ctl->config->connectors_catalog_dir, &l));
		TRY(lint_directory(ctl->config->connectors_dir, &l));
	}
	ctl_list_end(&l.list);
	if (l.list.rows > 0)
		return ERR_CONFIG;
	if (!ctl_option(ctl, "json"))
		ctl_note(ctl, l.files == 1 ? "%zu file is right" : "%zu files are right", l.files);
	return OK;
}

/* --- list and show ----------------------------------------------------------------------- */

static enum err load(const struct ctl *ctl, struct catalog **ret_catalog)
{
	char why[CATALOG_WHY_MAX];
	enum err e = catalog_load(ctl->config, why, ret_catalog);

	return e == OK ? OK : why[0] ? ctl_fail(e, "%s", why) : ctl_say(e, "the connector types");
}

static void add_item(struct buf *line, struct str item)
{
	if (line->n > 0)
		buf_add_c(line, ", ");
	buf_add_str(line, item);
}

static struct str ways_of(const struct connector_type *type, struct buf *line)
{
	buf_clear(line);
	for (size_t i = 0; i < type->ways; i++)
		add_item(line, type->way[i].id);
	return buf_str(line);
}

static struct str joined(const struct texts *texts, struct buf *line)
{
	buf_clear(line);
	for (size_t i = 0; i < texts->n; i++)
		add_item(line, texts->v[i]);
	return buf_str(line);
}

enum err ctl_connector_list(struct ctl *ctl)
{
	static const char *const COLUMNS[] = { "type", "name", "category", "auth" };
	BUF_AUTO struct buf line = { 0 };
	struct catalog *catalog;
	struct ctl_list list;

	TRY(load(ctl, &catalog));
	buf_init(&line, LINE_MAX);
	ctl_list_begin(&list, ctl, COLUMNS, ARRAY_SIZE(COLUMNS));
	for (size_t i = 0; i < catalog_count(catalog); i++) {
		const struct connector_type *type = catalog_at(catalog, i);
		const struct str row[] = { type->id, type->name, type->category,
					   ways_of(type, &line) };

		ctl_list_row(&list, row);
	}
	ctl_list_end(&list);
	catalog_free(catalog);
	return OK;
}

static void show_fields(const struct ctl *ctl, const struct connector_type *type, struct buf *line)
{
	static const char *const COLUMNS[] = { "field", "label", "required", "asked for by" };
	struct ctl_list list;

	ctl_list_begin(&list, ctl, COLUMNS, ARRAY_SIZE(COLUMNS));
	for (size_t i = 0; i < type->fields; i++) {
		const struct connector_field *field = &type->field[i];
		const struct str row[] = { field->name, field->label,
					   field->required ? STR("yes") : STR("no"),
					   field->ways.n > 0 ? joined(&field->ways, line)
							     : STR("all") };

		ctl_list_row(&list, row);
	}
	ctl_list_end(&list);
}

static void show_text(const struct ctl *ctl, const struct connector_type *type,
		      struct str redirect_uri)
{
	static const char *const COLUMNS[] = { "type",    "name",  "category", "summary",
					       "regions", "hosts", "docs_url", "redirect_uri" };
	BUF_AUTO struct buf regions = { 0 }, hosts = { 0 };
	struct ctl_list object;

	buf_init(&regions, LINE_MAX);
	buf_init(&hosts, LINE_MAX);
	ctl_object_begin(&object, ctl, COLUMNS, ARRAY_SIZE(COLUMNS));
	const struct str row[] = { type->id,
				   type->name,
				   type->category,
				   type->summary,
				   joined(&type->regions, &regions),
				   joined(&type->hosts, &hosts),
				   type->docs_url,
				   redirect_uri };
	ctl_list_row(&object, row);
	ctl_list_end(&object);
	for (size_t i = 0; i < type->ways; i++)
		printf("%-20s %.*s (%.*s)\n", i == 0 ? "auth" : "", STR_ARG(type->way[i].id),
		       STR_ARG(type->way[i].label));
	putchar('\n');
	show_fields(ctl, type, &regions);
}

static enum err show(const struct ctl *ctl, const struct connector_type *type)
{
	BUF_AUTO struct buf text = { 0 }, uri = { 0 };

	buf_init(&uri, LINE_MAX);
	if (type->has_oauth2)
		TRY(ctl_say(oauth_redirect_uri(ctl->config, type->id, &uri), "server.public_url"));
	if (!ctl_option(ctl, "json")) {
		show_text(ctl, type, type->has_oauth2 ? buf_str(&uri) : STR_NONE);
		return OK;
	}
	buf_init(&text, CATALOG_ANSWER_MAX);
	TRY(ctl_say(catalog_answer_type(ctl->config, type, &text), "the answer"));
	printf("%.*s\n", STR_ARG(buf_str(&text)));
	return OK;
}

enum err ctl_connector_show(struct ctl *ctl)
{
	const char *id = ctl->argument[0];
	const struct connector_type *type;
	struct catalog *catalog;
	enum err e;

	TRY(load(ctl, &catalog));
	type = catalog_find(catalog, str_of(id));
	e = type ? show(ctl, type) : ctl_fail(ERR_NOT_FOUND, "there is no connector type %s", id);
	catalog_free(catalog);
	return e;
}
