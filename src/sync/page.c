#include "sync/page.h"

#include "base/json_read.h"
#include "connect/template.h"

enum { VALUE_MAX = 1024, NAME_MAX_BYTES = 256, COUNT_MAX = 1000000000 };

/* --- which lists ------------------------------------------------------------------------ */

static bool has_needs(const struct sync_spec *list, const struct values *values)
{
	return str_absent(list->needs) || values_get(values, list->needs).n > 0;
}

static bool is_taken(const struct connector_type *type, const struct values *values, size_t i)
{
	if (!has_needs(&type->sync[i], values))
		return false;
	for (size_t k = 0; k < i; k++)
		if (str_eq(type->sync[k].collection, type->sync[i].collection) &&
		    has_needs(&type->sync[k], values))
			return false;
	return true;
}

const struct sync_spec *sync_list(const struct connector_type *type, const struct values *values,
				  size_t n)
{
	for (size_t i = 0; i < type->syncs; i++)
		if (is_taken(type, values, i) && n-- == 0)
			return &type->sync[i];
	return NULL;
}

/* The arena's text of a template; absent for an absent one, and for an optional value that isn't there. */
static enum err fill(struct arena *arena, struct str text, const struct values *values,
		     struct str *ret_text)
{
	BUF_AUTO struct buf filled = { 0 };
	enum err e;

	*ret_text = STR_NONE;
	if (str_absent(text))
		return OK;
	buf_init(&filled, VALUE_MAX);
	e = template_fill(text, values, ESCAPE_NONE, &filled, NULL);
	if (e == ERR_NOT_FOUND || (e == OK && filled.n == 0))
		return OK;
	TRY(e);
	TRY(buf_error(&filled) == ERR_TOO_BIG ? ERR_BAD_INPUT : buf_error(&filled));
	*ret_text = arena_copy(arena, buf_str(&filled));
	return str_absent(*ret_text) ? ERR_NO_MEMORY : OK;
}

enum err sync_paths(struct arena *arena, const struct sync_spec *list, const struct values *values,
		    struct sync_paths *ret_paths)
{
	TRY(fill(arena, list->rows, values, &ret_paths->rows));
	TRY(fill(arena, list->id, values, &ret_paths->id));
	if (str_absent(ret_paths->id))
		ret_paths->id = STR("id");
	return fill(arena, list->updated_at, values, &ret_paths->updated_at);
}

/* --- asking ----------------------------------------------------------------------------------- */

static bool counts(const struct sync_pages *pages)
{
	return pages->kind == SYNC_BY_PAGE || pages->kind == SYNC_BY_OFFSET;
}

static enum err add_number(struct call *call, struct str name, int64_t number)
{
	char text[STR_INT_MAX];

	return call_add_query(call, name, str_of_int(number, text));
}

/* The first page of a counted list says its number, too. */
static enum err add_place(const struct sync_pages *pages, const struct values *values,
			  const struct sync_place *place, struct call *call,
			  struct str *ret_missing)
{
	BUF_AUTO struct buf name = { 0 };

	if (str_absent(place->next) && !counts(pages))
		return OK;
	buf_init(&name, NAME_MAX_BYTES);
	TRY(template_fill(pages->param, values, ESCAPE_NONE, &name, ret_missing));
	TRY(buf_error(&name));
	if (str_absent(place->next))
		return add_number(call, buf_str(&name), pages->first);
	return call_add_query(call, buf_str(&name), place->next);
}

enum err sync_request(const struct connector_type *type, const struct auth_way *way,
		      const struct sync_spec *list, const struct values *values,
		      const struct sync_place *place, int64_t now_ms, struct call *call,
		      struct str *ret_missing)
{
	const struct sync_pages *pages = &list->pages;

	TRY(call_make(type, way, &list->request, values, now_ms, call, ret_missing));
	if (pages->kind == SYNC_BY_LINK && !str_absent(place->next))
		return call_go(call, way, values, place->next);
	if (!str_absent(pages->size_param))
		TRY(add_number(call, pages->size_param, pages->size));
	return pages->kind == SYNC_BY_LINK ? OK
					   : add_place(pages, values, place, call, ret_missing);
}

/* --- reading ---------------------------------------------------------------------------------- */

static enum err not_a_page(struct sync_page *page, const char *code, const char *words)
{
	page->code = str_of(code);
	page->words = str_of(words);
	return ERR_UPSTREAM;
}

/* A text or a number of 1 to `most` characters; what is no word of any provider is none. */
static struct str word_at(struct arena *arena, const json_t *row, struct str path, size_t most)
{
	struct str text = str_absent(path) ? STR_NONE : json_text_at(arena, row, path);

	return text.n > 0 && str_utf8_length(text) <= most && !str_has_control(text) ? text
										     : STR_NONE;
}

static enum err read_rows(struct arena *arena, const json_t *list, const struct sync_paths *paths,
			  struct sync_page *page)
{
	size_t came = json_length(list);
	struct sync_row *row = arena_array(arena, came + 1, sizeof *row);

	if (!row)
		return ERR_NO_MEMORY;
	page->row = row;
	for (size_t i = 0; i < came; i++) {
		const json_t *json = json_item(list, i);
		struct str id = word_at(arena, json, paths->id, SYNC_EXTERNAL_ID_CHARS);

		if (str_absent(id))
			page->left_out++;
		else
			row[page->rows++] = (struct sync_row){
				id, word_at(arena, json, paths->updated_at, SYNC_TIME_CHARS), json
			};
	}
	if (came > 0 && page->rows == 0)
		return not_a_page(page, "ROWS_WITHOUT_ID", "No row has an id where it should be.");
	return OK;
}

static enum err find_rows(struct arena *arena, const struct sync_spec *list,
			  const struct sync_paths *paths, const json_t *json,
			  struct sync_page *page)
{
	const json_t *rows = str_absent(paths->rows) ? json : json_at(json, paths->rows);
	bool none = !rows || json_is_kind(rows, JSON_NULL);

	if (none && list->rows_optional && json_is_kind(json, JSON_OBJECT))
		return OK;
	if (!json_is_kind(rows, JSON_ARRAY))
		return not_a_page(page, "BAD_RESPONSE",
				  "The answer has no list where it should be.");
	return read_rows(arena, rows, paths, page);
}

/* The names of the parameters that the way adds to an address. */
static enum err own_parameters(struct arena *arena, const struct auth_way *way,
			       const struct values *values, struct texts *ret_names)
{
	size_t n = way ? way->query.n : 0;
	struct str *names = arena_array(arena, n + 1, sizeof *names);

	if (!names)
		return ERR_NO_MEMORY;
	for (size_t i = 0; i < n; i++)
		TRY(fill(arena, way->query.v[i].name, values, &names[i]));
	*ret_names = (struct texts){ names, n };
	return OK;
}

static enum err next_by_link(struct arena *arena, const struct auth_way *way,
			     const struct sync_spec *list, const struct values *values,
			     const struct call *call, const struct sync_answer *answer,
			     struct sync_page *page)
{
	struct str link = str_absent(list->pages.next)
				  ? sync_link_next(answer->link)
				  : json_text_at(arena, answer->json, list->pages.next);
	struct texts own;
	enum err e;

	if (link.n == 0)
		return OK;
	TRY(own_parameters(arena, way, values, &own));
	e = sync_link_path(arena, buf_str(&call->url), link, own, &page->next);
	return e == ERR_BAD_INPUT
		       ? not_a_page(page, "BAD_NEXT_PAGE",
				    "The next page's address is on another host, or can't be used.")
		       : e;
}

/* Whether the answer says that there is a next page; where nothing does, a full page does. */
static bool goes_on(const struct sync_pages *pages, const json_t *json, size_t came)
{
	bool more = false;

	if (!str_absent(pages->more))
		return json_bool_of(json_at(json, pages->more), &more) && more;
	return came > 0 && (pages->size == 0 || came >= (size_t)pages->size);
}

static void next_by_cursor(struct arena *arena, const struct sync_pages *pages, const json_t *json,
			   size_t came, struct sync_page *page)
{
	struct str cursor;

	if (str_absent(pages->next)) {
		if (page->rows > 0 && goes_on(pages, json, came))
			page->next = page->row[page->rows - 1].id;
		return;
	}
	cursor = json_text_at(arena, json, pages->next);
	if (cursor.n > 0 && (str_absent(pages->more) || goes_on(pages, json, came)))
		page->next = cursor;
}

static enum err next_by_count(struct arena *arena, const struct sync_pages *pages,
			      const struct sync_place *place, const json_t *json, size_t came,
			      struct sync_page *page)
{
	uint64_t now = (uint64_t)pages->first;

	if (came == 0 || !goes_on(pages, json, came))
		return OK;
	if (!str_absent(place->next) && (!str_to_u64(place->next, &now) || now > COUNT_MAX))
		return not_a_page(page, "BAD_NEXT_PAGE", "The list has no end.");
	now += pages->kind == SYNC_BY_PAGE ? 1 : came;
	page->next = arena_printf(arena, "%llu", (unsigned long long)now);
	return str_absent(page->next) ? ERR_NO_MEMORY : OK;
}

enum err sync_read(struct arena *arena, const struct auth_way *way, const struct sync_spec *list,
		   const struct values *values, const struct sync_paths *paths,
		   const struct sync_place *place, const struct call *call,
		   const struct sync_answer *answer, struct sync_page *ret_page)
{
	const struct sync_pages *pages = &list->pages;
	size_t came;

	*ret_page = (struct sync_page){ .rows = 0 };
	TRY(find_rows(arena, list, paths, answer->json, ret_page));
	came = ret_page->rows + ret_page->left_out;
	if (pages->kind == SYNC_BY_LINK)
		TRY(next_by_link(arena, way, list, values, call, answer, ret_page));
	else if (pages->kind == SYNC_BY_CURSOR)
		next_by_cursor(arena, pages, answer->json, came, ret_page);
	else if (counts(pages))
		TRY(next_by_count(arena, pages, place, answer->json, came, ret_page));
	if (ret_page->next.n >= SYNC_NEXT_MAX)
		return not_a_page(ret_page, "BAD_NEXT_PAGE",
				  "What the next page has to be asked for with is too long.");
	if (ret_page->next.n > 0 && str_eq(ret_page->next, place->next))
		return not_a_page(ret_page, "PAGES_REPEAT", "The next page is the same one again.");
	return OK;
}
