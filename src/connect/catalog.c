#include "connect/catalog.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/json_read.h"
#include "connect/catalog_answer.h"
#include "connect/catalog_file.h"
#include "connect/lint.h"
#include "connect/type_read.h"

enum { ARENA_MAX = 64 << 20, TYPES_MAX = 1024 };

struct catalog {
	struct arena *arena;
	size_t n;
	struct connector_type *type[TYPES_MAX];
};

/* --- one file ------------------------------------------------------------------ */

/* What a file doesn't say and another member of it does. */
static void complete(struct connector_type *type)
{
	for (size_t i = 0; i < type->ways; i++) {
		struct auth_way *way = (struct auth_way *)(uintptr_t)&type->way[i];

		if (str_absent(way->id))
			way->id = str_of(auth_mode_text(way->mode));
	}
}

/* "The body isn't valid JSON ..." is said of a request. */
static struct str without_subject(struct str why)
{
	static const struct str BODY = { "The body", 8 };

	return str_starts(why, BODY) ? str_slice(why, BODY.n, SIZE_MAX) : why;
}

enum err catalog_read_type(struct arena *arena, struct str id, struct str json,
			   struct faults *faults, struct connector_type **ret_type)
{
	struct connector_type *type = ARENA_NEW(arena, struct connector_type);
	struct str why;
	json_t *file;
	enum err e;

	*ret_type = NULL;
	if (!type)
		return ERR_NO_MEMORY;
	e = json.n > CATALOG_FILE_MAX ? ERR_BAD_JSON : json_read(arena, json, &file, &why);
	if (e == ERR_BAD_JSON) {
		if (json.n > CATALOG_FILE_MAX)
			fault(faults, "it is larger than 256 KiB");
		else
			fault(faults, "it%.*s", STR_ARG(without_subject(why)));
		return OK;
	}
	TRY(e);
	TRY(type_read(arena, file, faults, type));
	complete(type);
	if (!str_absent(id) && !str_absent(type->id) && !str_eq(type->id, id))
		fault(faults, "the file's name has to be id and .json");
	if (faults->count == 0)
		lint_type(arena, type, faults);
	*ret_type = type;
	return OK;
}

/* --- loading ------------------------------------------------------------------- */

struct loading {
	struct catalog *catalog;
	const char *file; /* the one that is being read */
	char *why;
};

static void keep_first(void *arg, const char *member, const char *words)
{
	struct loading *l = arg;

	if (l->why[0] == '\0')
		snprintf(l->why, CATALOG_WHY_MAX, "%s: %s%s%s", l->file, member,
			 member[0] ? ": " : "", words);
}

static enum err refuse(struct loading *l, const char *words)
{
	keep_first(l, "", words);
	return ERR_CONFIG;
}

static enum err render(struct arena *arena, struct connector_type *type)
{
	BUF_AUTO struct buf text = { 0 };

	buf_init(&text, CATALOG_ANSWER_MAX);
	catalog_answer_entry(type, &text);
	TRY(buf_error(&text));
	type->entry = arena_copy(arena, buf_str(&text));
	buf_clear(&text);
	catalog_answer_detail(type, &text);
	TRY(buf_error(&text));
	type->detail = arena_copy(arena, buf_str(&text));
	return str_absent(type->entry) || str_absent(type->detail) ? ERR_NO_MEMORY : OK;
}

/* One of the same id is replaced. */
static enum err put(struct loading *l, struct connector_type *type)
{
	struct catalog *catalog = l->catalog;
	size_t i = 0;

	while (i < catalog->n && !str_eq(catalog->type[i]->id, type->id))
		i++;
	if (i == TYPES_MAX)
		return refuse(l, "there are more than 1024 connector types");
	catalog->type[i] = type;
	if (i == catalog->n)
		catalog->n++;
	return OK;
}

static enum err load_text(struct loading *l, struct str id, struct str json,
			  struct connector_type **ret_type)
{
	struct faults faults = { .report = keep_first, .arg = l };

	TRY(catalog_read_type(l->catalog->arena, id, json, &faults, ret_type));
	if (faults.count > 0 || !*ret_type)
		return ERR_CONFIG;
	return render(l->catalog->arena, *ret_type);
}

static enum err load_file(void *arg, const char *path, struct str id)
{
	BUF_AUTO struct buf text = { 0 };
	struct loading *l = arg;
	struct connector_type *type;

	l->file = path;
	buf_init(&text, CATALOG_FILE_MAX + 1);
	if (catalog_read_file(path, &text) != OK)
		return refuse(l, text.error == ERR_TOO_BIG ? "it is larger than 256 KiB"
							   : strerror(errno));
	TRY(load_text(l, id, buf_str(&text), &type));
	return put(l, type);
}

static int by_name(const void *a, const void *b)
{
	const struct connector_type *x = *(struct connector_type *const *)a,
				    *y = *(struct connector_type *const *)b;
	int order = strcasecmp(x->name.p, y->name.p);

	return order != 0 ? order : strcmp(x->id.p, y->id.p);
}

static enum err catalog_new(struct catalog **ret_catalog)
{
	struct catalog *catalog = calloc(1, sizeof *catalog);

	if (catalog)
		catalog->arena = arena_new(ARENA_MAX);
	if (!catalog || !catalog->arena) {
		free(catalog);
		return ERR_NO_MEMORY;
	}
	*ret_catalog = catalog;
	return OK;
}

/* Hands a loaded catalogue over, or frees it. */
static enum err finish(enum err e, struct catalog *catalog, struct catalog **ret_catalog)
{
	if (e != OK) {
		catalog_free(catalog);
		return e;
	}
	qsort(catalog->type, catalog->n, sizeof catalog->type[0], by_name);
	*ret_catalog = catalog;
	return OK;
}

enum err catalog_load(const struct config *config, char ret_why[CATALOG_WHY_MAX],
		      struct catalog **ret_catalog)
{
	struct loading l = { .why = ret_why, .file = "" };
	enum err e;

	ret_why[0] = '\0';
	*ret_catalog = NULL;
	TRY(catalog_new(&l.catalog));
	e = catalog_each_file(config->connectors_catalog_dir, load_file, &l, ret_why);
	if (e == OK && config->connectors_dir[0] != '\0')
		e = catalog_each_file(config->connectors_dir, load_file, &l, ret_why);
	return finish(e, l.catalog, ret_catalog);
}

enum err catalog_load_text(struct str name, struct str json, char ret_why[CATALOG_WHY_MAX],
			   struct catalog **ret_catalog)
{
	struct loading l = { .why = ret_why };
	struct connector_type *type;
	char file[128];
	enum err e;

	ret_why[0] = '\0';
	*ret_catalog = NULL;
	snprintf(file, sizeof file, "%.*s", STR_ARG(name));
	l.file = file;
	TRY(catalog_new(&l.catalog));
	e = load_text(&l, STR_NONE, json, &type);
	if (e == OK)
		e = put(&l, type);
	return finish(e, l.catalog, ret_catalog);
}

void catalog_free(struct catalog *catalog)
{
	if (!catalog)
		return;
	arena_free(catalog->arena);
	free(catalog);
}

const struct connector_type *catalog_find(const struct catalog *catalog, struct str id)
{
	for (size_t i = 0; catalog && i < catalog->n; i++)
		if (str_eq(catalog->type[i]->id, id))
			return catalog->type[i];
	return NULL;
}

size_t catalog_count(const struct catalog *catalog) { return catalog ? catalog->n : 0; }

const struct connector_type *catalog_at(const struct catalog *catalog, size_t index)
{
	return catalog->type[index];
}
