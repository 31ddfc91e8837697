#include "flow/templates.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/json_read.h"
#include "base/json_write.h"
#include "connect/catalog_file.h"
#include "flow/definition.h"

enum {
	TEMPLATES_MAX = 200,
	FILE_MAX = FLOW_DEFINITION_MAX + (16 << 10),
	LOADED_MAX = 64 << 20,
	READING_MAX = 32 << 20
};

struct templates {
	struct arena *arena;
	size_t n;
	struct flow_template of[TEMPLATES_MAX];
};

struct loading {
	struct templates *templates;
	struct ctx cx; /* of one file: only its memory and its problem are used */
	char *why;
};

static enum err refuse(struct loading *l, const char *path, const char *words)
{
	snprintf(l->why, TEMPLATES_WHY_MAX, "%s: %s", path, words);
	return ERR_CONFIG;
}

static enum err check_definition(struct loading *l, const char *path, const json_t *definition)
{
	const struct problem *problem = &l->cx.problem;
	const struct flow *flow;
	enum err e = flow_read(&l->cx, l->cx.arena, definition, &flow);
	char words[TEMPLATES_WHY_MAX / 2];

	if (e != ERR_BAD_INPUT || problem->count == 0)
		return e;
	snprintf(words, sizeof words, "%.*s %.*s", STR_ARG(problem->field[0].field),
		 STR_ARG(problem->field[0].message));
	return refuse(l, path, words);
}

static enum err keep_text(struct loading *l, const json_t *json, const char *name, struct str *ret_text)
{
	*ret_text = arena_copy(l->templates->arena, json_member_text(json, name));
	return str_absent(*ret_text) ? ERR_NO_MEMORY : OK;
}

static enum err keep(struct loading *l, const json_t *json, const struct id *id)
{
	BUF_AUTO struct buf text = { 0 };
	struct flow_template *kept = &l->templates->of[l->templates->n];
	struct json_writer w;

	kept->id = *id;
	TRY(keep_text(l, json, "name", &kept->name));
	TRY(keep_text(l, json, "description", &kept->description));
	TRY(keep_text(l, json, "category", &kept->category));
	buf_init(&text, FLOW_DEFINITION_MAX);
	jw_start(&w, &text);
	jw_add_tree(&w, json_member(json, "definition"));
	TRY(buf_error(&text));
	kept->definition = arena_copy(l->templates->arena, buf_str(&text));
	if (str_absent(kept->definition))
		return ERR_NO_MEMORY;
	l->templates->n++;
	return OK;
}

static enum err read_text(struct loading *l, const char *path, struct str text)
{
	struct id id;
	struct str why;
	json_t *json;

	if (json_read(l->cx.arena, text, &json, &why) != OK)
		return refuse(l, path, why.p ? why.p : "it can't be read");
	if (!id_parse(ID_TEMPLATE, json_member_text(json, "id"), &id))
		return refuse(l, path, "its id isn't that of a template");
	if (templates_find(l->templates, &id))
		return refuse(l, path, "its id is that of another template");
	if (json_member_text(json, "name").n == 0 || str_absent(json_member_text(json, "description")) ||
	    json_member_text(json, "category").n == 0 || json_length(json) != 5)
		return refuse(l, path, "its members have to be id, name, description, category and definition");
	if (l->templates->n == TEMPLATES_MAX)
		return refuse(l, path, "there are more than 200 templates");
	TRY(check_definition(l, path, json_member(json, "definition")));
	return keep(l, json, &id);
}

static enum err read_file(void *arg, const char *path, struct str name)
{
	BUF_AUTO struct buf text = { 0 };
	struct loading *l = arg;

	(void)name;
	problem_clear(&l->cx.problem);
	arena_reset(l->cx.arena);
	buf_init(&text, FILE_MAX);
	if (catalog_read_file(path, &text) != OK)
		return refuse(l, path, "it can't be read, or is too long");
	return read_text(l, path, buf_str(&text));
}

enum err templates_load(const char *directory, char ret_why[TEMPLATES_WHY_MAX], struct templates **ret_templates)
{
	struct loading *l = calloc(1, sizeof *l);
	struct templates *templates = calloc(1, sizeof *templates);
	enum err e = ERR_NO_MEMORY;

	snprintf(ret_why, TEMPLATES_WHY_MAX, "out of memory");
	if (templates)
		templates->arena = arena_new(LOADED_MAX);
	if (l && templates && templates->arena && (l->cx.arena = arena_new(READING_MAX))) {
		l->templates = templates;
		l->why = ret_why;
		e = directory[0] == '\0' ? OK : catalog_each_file(directory, read_file, l, ret_why);
		arena_free(l->cx.arena);
	}
	free(l);
	if (e != OK) {
		templates_free(templates);
		return e;
	}
	*ret_templates = templates;
	return OK;
}

void templates_free(struct templates *templates)
{
	if (!templates)
		return;
	arena_free(templates->arena);
	free(templates);
}

size_t templates_count(const struct templates *templates) { return templates ? templates->n : 0; }

const struct flow_template *templates_at(const struct templates *templates, size_t index)
{
	return &templates->of[index];
}

const struct flow_template *templates_find(const struct templates *templates, const struct id *id)
{
	for (size_t i = 0; i < templates_count(templates); i++)
		if (id_eq(&templates->of[i].id, id))
			return &templates->of[i];
	return NULL;
}
