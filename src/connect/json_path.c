/* Paths into JSON answers: "a.b[0].c". */
#include "base/json_read.h"
#include "connect/template.h"

enum { NAME_MAX_LENGTH = 200 };

static json_t *member_at(const json_t *json, struct str name)
{
	char text[NAME_MAX_LENGTH + 1];

	if (!json_is_kind(json, JSON_OBJECT) || name.n > NAME_MAX_LENGTH)
		return NULL;
	for (size_t i = 0; i < name.n; i++)
		text[i] = name.p[i];
	text[name.n] = '\0';
	return json_member(json, text);
}

static json_t *item_at(const json_t *json, struct str index)
{
	uint64_t number = 0;

	if (!json_is_kind(json, JSON_ARRAY) || (index.n > 0 && !str_to_u64(index, &number)))
		return NULL;
	return number < json_length(json) ? json_item(json, (size_t)number) : NULL;
}

json_t *json_at(const json_t *json, struct str path)
{
	json_t *at = (json_t *)(uintptr_t)json;

	while (at && path.n > 0) {
		size_t end = 0;

		if (path.p[0] == '[') {
			end = str_find(path, ']');
			if (end == path.n)
				return NULL;
			at = item_at(at, str_slice(path, 1, end - 1));
			path = str_slice(path, end + 1, SIZE_MAX);
		} else {
			while (end < path.n && path.p[end] != '.' && path.p[end] != '[')
				end++;
			at = member_at(at, str_slice(path, 0, end));
			path = str_slice(path, end, SIZE_MAX);
		}
		if (path.n > 0 && path.p[0] == '.')
			path = str_slice(path, 1, SIZE_MAX);
	}
	return at;
}

struct str json_text_at(struct arena *arena, const json_t *json, struct str path)
{
	char number[JSON_SCALAR_MAX];
	struct str text = json_scalar_text(json_at(json, path), number);

	return str_absent(text) ? STR_NONE : arena_copy(arena, text);
}
