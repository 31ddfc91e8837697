#include "hook/delivery.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/json_read.h"
#include "connect/template.h"
#include "core/query.h"

enum { PARAMETERS_MAX = 200, JOINED_MAX = 64 << 10 };

static bool is_form(const struct hook_delivery *delivery)
{
	return str_is_media_type(delivery->content_type, STR("application/x-www-form-urlencoded"));
}

/* The first parameter of that name, decoded; absent for none and for text that can't be decoded. */
static struct str parameter(const struct hook_delivery *delivery, struct str text, struct str name)
{
	struct str rest = text, found_name, value;

	while (query_next(&rest, delivery->arena, &found_name, &value) == OK)
		if (str_eq(found_name, name))
			return value;
	return STR_NONE;
}

/* "t=…,v1=…": a name that comes twice is no answer. */
static struct str signature_parameter(const struct hook_delivery *delivery, struct str name)
{
	struct str rest = delivery->signature, found = STR_NONE;

	while (!str_absent(rest)) {
		struct str value = str_trim(str_cut(&rest, ','));
		struct str key = str_cut(&value, '=');

		if (!str_eq(key, name) || str_absent(value))
			continue;
		if (!str_absent(found))
			return STR_NONE;
		found = value;
	}
	return found;
}

static struct str one_value(const struct hook_delivery *delivery, struct str source)
{
	struct str name = source, kind = str_cut(&name, ':');

	if (str_absent(name))
		return STR_NONE;
	if (str_eq(kind, STR("header")))
		return delivery->header(delivery->header_arg, name);
	if (str_eq(kind, STR("json")))
		return json_text_at(delivery->arena, delivery->json, name);
	if (str_eq(kind, STR("form")))
		return is_form(delivery) ? parameter(delivery, delivery->body, name) : STR_NONE;
	if (str_eq(kind, STR("query")))
		return parameter(delivery, delivery->query, name);
	return str_eq(kind, STR("sigparam")) ? signature_parameter(delivery, name) : STR_NONE;
}

/* All parts must be there. */
static struct str joined_value(const struct hook_delivery *delivery, struct str source)
{
	BUF_AUTO struct buf joined = { 0 };
	struct str rest = source;
	bool first = true;

	if (str_find(source, '+') == source.n)
		return one_value(delivery, source);
	buf_init(&joined, JOINED_MAX);
	while (!str_absent(rest)) {
		struct str value = one_value(delivery, str_cut(&rest, '+'));

		if (str_absent(value))
			return STR_NONE;
		if (!first)
			buf_add_char(&joined, '-');
		buf_add_str(&joined, value);
		first = false;
	}
	return buf_error(&joined) == OK ? arena_copy(delivery->arena, buf_str(&joined)) : STR_NONE;
}

struct str hook_value(const struct hook_delivery *delivery, struct str source)
{
	struct str rest = source;

	while (!str_absent(rest)) {
		struct str value = joined_value(delivery, str_cut(&rest, '|'));

		if (!str_absent(value))
			return value;
	}
	return STR_NONE;
}

struct form_parameter {
	struct str name, value;
};

static int compare(struct str a, struct str b)
{
	int order = memcmp(a.p, b.p, a.n < b.n ? a.n : b.n);

	return order != 0 ? order : (a.n > b.n) - (a.n < b.n);
}

static int by_name(const void *a, const void *b)
{
	const struct form_parameter *left = a, *right = b;
	int order = compare(left->name, right->name);

	return order != 0 ? order : compare(left->value, right->value);
}

enum err hook_sorted_form(const struct hook_delivery *delivery, struct str *ret_text)
{
	struct form_parameter parameters[PARAMETERS_MAX];
	BUF_AUTO struct buf text = { 0 };
	struct str rest = delivery->body;
	size_t n = 0;
	enum err e = OK;

	*ret_text = STR_NONE;
	if (delivery->body.n == 0 || !is_form(delivery))
		return ERR_BAD_INPUT;
	while (n < PARAMETERS_MAX &&
	       (e = query_next(&rest, delivery->arena, &parameters[n].name, &parameters[n].value)) == OK)
		n++;
	if (n == PARAMETERS_MAX || e != ERR_END)
		return ERR_BAD_INPUT;
	qsort(parameters, n, sizeof(parameters[0]), by_name);
	buf_init(&text, delivery->body.n + 1);
	for (size_t i = 0; i < n; i++) {
		if (i > 0 && by_name(&parameters[i - 1], &parameters[i]) == 0)
			continue;
		buf_add_str(&text, parameters[i].name);
		buf_add_str(&text, parameters[i].value);
	}
	TRY(buf_error(&text));
	*ret_text = arena_copy(delivery->arena, buf_str(&text));
	return str_absent(*ret_text) ? ERR_NO_MEMORY : OK;
}

/* --- challenges ----------------------------------------------------------------------- */

static bool is_of_challenge(char c)
{
	return char_is_letter(c) || char_is_digit(c) || (c != '\0' && strchr("+/=-_.~", c));
}

bool hook_could_be_challenge(const struct str *piece, size_t pieces)
{
	size_t n = 0;

	for (size_t i = 0; i < pieces; i++) {
		n += piece[i].n;
		if (n > HOOK_CHALLENGE_MAX)
			return false;
		for (size_t at = 0; at < piece[i].n; at++)
			if (!is_of_challenge(piece[i].p[at]))
				return false;
	}
	return true;
}
