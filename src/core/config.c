/* Reading the configuration by the table in config.def. */
#include "core/config.h"

#include <ctype.h>
#include <errno.h>
#include <ini.h>
#include <stdlib.h>
#include <string.h>

#include "base/free.h"
#include "base/log.h"
#include "core/config_sections.h"

extern char **environ;

enum option_type { OPTION_TEXT, OPTION_PATH, OPTION_NUMBER, OPTION_FLAG, OPTION_LIST };

struct option {
	const char *section, *key;
	enum option_type type;
	size_t offset;
	const char *text; /* default of a text */
	int64_t number;   /* default of a number or flag */
	int64_t least, most;
};

#define TEXT(section, key, fallback, longest, words)                                               \
	{ #section, #key, OPTION_TEXT, offsetof(struct config, section##_##key), fallback, 0, 0, longest },
#define PATH(section, key, fallback, words)                                                        \
	{ #section, #key, OPTION_PATH, offsetof(struct config, section##_##key), fallback, 0, 0, 4000 },
#define NUMBER(section, key, fallback, least, most, words)                                         \
	{ #section, #key, OPTION_NUMBER, offsetof(struct config, section##_##key), NULL, fallback, least, most },
#define FLAG(section, key, fallback, words)                                                        \
	{ #section, #key, OPTION_FLAG, offsetof(struct config, section##_##key), NULL, fallback, 0, 1 },
#define LIST(section, key, longest, words)                                                         \
	{ #section, #key, OPTION_LIST, offsetof(struct config, section##_##key), "", 0, 0, longest },
static const struct option OPTIONS[] = {
#include "core/config.def"
};
#undef TEXT
#undef PATH
#undef NUMBER
#undef FLAG
#undef LIST

struct reading {
	struct config *config;
	char why[256]; /* of the first mistake; empty: none */
	bool seen[ARRAY_SIZE(OPTIONS)];
};

static bool complain(struct reading *r, const char *section, const char *key, const char *what)
{
	if (r->why[0] == '\0')
		snprintf(r->why, sizeof r->why, "[%s] %s: %s", section, key, what);
	return false;
}

static char **text_at(struct config *config, size_t offset) { return (char **)((char *)config + offset); }

static bool set_text(char **place, const char *value)
{
	char *copy = strdup(value);

	if (!copy)
		return false;
	free(*place);
	*place = copy;
	return true;
}

/* inih calls again for each further line of a value: a list goes on, anything else has one line. */
static bool set_list(char **place, const char *value, bool go_on)
{
	char *joined;

	if (!go_on || !*place || **place == '\0')
		return set_text(place, value);
	if (asprintf(&joined, "%s,%s", *place, value) < 0)
		return false;
	free(*place);
	*place = joined;
	return true;
}

static bool parse_number(const char *value, int64_t *ret_number)
{
	uint64_t number;

	if (!str_to_u64(str_of(value), &number) || number > INT64_MAX)
		return false;
	*ret_number = (int64_t)number;
	return true;
}

static bool parse_flag(const char *value, bool *ret_flag)
{
	*ret_flag = strcmp(value, "yes") == 0;
	return *ret_flag || strcmp(value, "no") == 0;
}

static bool set_option(struct reading *r, const struct option *o, const char *value, bool go_on)
{
	void *place = (char *)r->config + o->offset;
	char what[128];
	bool ok = true;

	switch (o->type) {
	case OPTION_NUMBER:
		snprintf(what, sizeof what, "needs a whole number from %lld to %lld",
			 (long long)o->least, (long long)o->most);
		ok = parse_number(value, place) && *(int64_t *)place >= o->least && *(int64_t *)place <= o->most;
		break;
	case OPTION_FLAG:
		snprintf(what, sizeof what, "needs yes or no");
		ok = parse_flag(value, place);
		break;
	case OPTION_TEXT:
	case OPTION_PATH:
	case OPTION_LIST:
		snprintf(what, sizeof what, "is longer than %lld bytes", (long long)o->most);
		ok = set_list(place, value, go_on && o->type == OPTION_LIST) &&
		     (int64_t)strlen(*(char **)place) <= o->most;
		break;
	}
	return ok || complain(r, o->section, o->key, what);
}

static const struct option *find_option(const char *section, const char *key)
{
	for (size_t i = 0; i < ARRAY_SIZE(OPTIONS); i++)
		if (strcmp(OPTIONS[i].section, section) == 0 && strcmp(OPTIONS[i].key, key) == 0)
			return &OPTIONS[i];
	return NULL;
}

static bool known_section(const char *section, size_t n)
{
	for (size_t i = 0; i < ARRAY_SIZE(OPTIONS); i++)
		if (strncmp(OPTIONS[i].section, section, n) == 0 && OPTIONS[i].section[n] == '\0')
			return true;
	return false;
}

static int on_line(void *user, const char *section, const char *key, const char *value)
{
	struct reading *r = user;
	const struct option *o = find_option(section, key);
	const char *wrong;
	bool again;

	if (config_section_named(section)) {
		wrong = config_section_set(r->config, section, key, value);
		return !wrong || complain(r, section, key, wrong);
	}
	if (!o)
		return complain(r, section, key,
				known_section(section, strlen(section))
					? "there is no such key"
					: "there is no such section");
	again = r->seen[o - OPTIONS];
	r->seen[o - OPTIONS] = true;
	if (again && o->type != OPTION_LIST)
		return complain(r, section, key, "is given twice");
	return set_option(r, o, value, again);
}

static enum err set_defaults(struct config *config)
{
	for (size_t i = 0; i < ARRAY_SIZE(OPTIONS); i++) {
		const struct option *o = &OPTIONS[i];

		if (o->text && !set_text(text_at(config, o->offset), o->text))
			return ERR_NO_MEMORY;
		if (o->type == OPTION_NUMBER)
			*(int64_t *)((char *)config + o->offset) = o->number;
		if (o->type == OPTION_FLAG)
			*(bool *)((char *)config + o->offset) = o->number != 0;
	}
	return OK;
}

/* inih cuts lines off at its own length without a word, so they are looked for first. */
static bool lines_fit(const char *path, char why[CONFIG_WHY_MAX])
{
	enum { INIH_LINE_MAX = 199 };
	FREE_AUTO char *line = NULL;
	FILE *file = fopen(path, "re");
	size_t capacity = 0;
	ssize_t n;
	int number = 0;
	bool fit = true;

	if (!file) {
		snprintf(why, CONFIG_WHY_MAX, "%s: %s", path, strerror(errno));
		return false;
	}
	while (fit && (n = getline(&line, &capacity, file)) >= 0) {
		number++;
		fit = n <= INIH_LINE_MAX;
	}
	fclose(file);
	if (!fit)
		snprintf(why, CONFIG_WHY_MAX, "%s:%d: the line is too long; a list may go on in an indented line",
			 path, number);
	return fit;
}

/* LATCHWORK_DATABASE_SOCKET is [database] socket. Names whose section isn't ours are somebody else's. */
static bool read_variable(struct reading *r, const char *name, const char *value)
{
	char section[32], key[64];
	const struct option *o;
	size_t n = strcspn(name, "_");

	if (n == 0 || n >= sizeof section || name[n] == '\0' || strlen(name + n + 1) >= sizeof key)
		return true;
	for (size_t i = 0; i <= n; i++)
		section[i] = i == n ? '\0' : (char)tolower((unsigned char)name[i]);
	if (!known_section(section, n))
		return true;
	for (size_t i = 0; i == 0 || key[i - 1] != '\0'; i++)
		key[i] = (char)tolower((unsigned char)name[n + 1 + i]);
	o = find_option(section, key);
	return o ? set_option(r, o, value, false) : complain(r, section, key, "there is no such key");
}

static bool read_environment(struct reading *r)
{
	static const char PREFIX[] = "LATCHWORK_";

	for (char **v = environ; *v; v++) {
		const char *equals = strchr(*v, '=');
		char name[128];

		if (strncmp(*v, PREFIX, sizeof PREFIX - 1) != 0 || !equals || (size_t)(equals - *v) >= sizeof name)
			continue;
		memcpy(name, *v, (size_t)(equals - *v));
		name[equals - *v] = '\0';
		if (!read_variable(r, name + sizeof PREFIX - 1, equals + 1))
			return false;
	}
	return true;
}

/* Links and redirects begin with it: an origin, and nothing behind it. */
static bool is_origin(struct str url)
{
	size_t scheme = str_starts(url, STR("https://")) ? 8 : str_starts(url, STR("http://")) ? 7 : url.n;

	for (size_t i = scheme; i < url.n; i++)
		if (!isalnum((unsigned char)url.p[i]) && !memchr("-.:[]", url.p[i], 5))
			return false;
	return url.n > scheme;
}

/* What a value must be beside its length. */
static bool texts_good(struct reading *r)
{
	static const char ORIGIN[] = "needs https://host[:port], with nothing behind it";
	struct str origins = str_of(r->config->oauth_return_origins), origin;
	enum log_level level;

	while (!str_absent(origin = config_list_next(&origins)))
		if (!is_origin(origin))
			return complain(r, "oauth", "return_origins", ORIGIN);
	if (!log_level_parse(str_of(r->config->server_log_level), &level))
		return complain(r, "server", "log_level", "needs debug, info, warn or error");
	return is_origin(str_of(r->config->server_public_url)) || complain(r, "server", "public_url", ORIGIN);
}

static bool sections_complete(struct reading *r)
{
	const char *kind, *name, *lacks = config_sections_incomplete(r->config, &kind, &name);

	return !lacks || complain(r, kind, name, lacks);
}

static enum err read_all(struct reading *r, const char *path, char why[CONFIG_WHY_MAX])
{
	int line;

	if (!lines_fit(path, why))
		return ERR_CONFIG;
	line = ini_parse(path, on_line, r);
	if (line != 0) {
		snprintf(why, CONFIG_WHY_MAX, "%s:%d: %s", path, line, r->why[0] ? r->why : "this isn't `key = value`");
		return ERR_CONFIG;
	}
	if (!sections_complete(r)) {
		snprintf(why, CONFIG_WHY_MAX, "%s: %s", path, r->why);
		return ERR_CONFIG;
	}
	if (!read_environment(r)) {
		snprintf(why, CONFIG_WHY_MAX, "the environment: %s", r->why);
		return ERR_CONFIG;
	}
	if (!texts_good(r)) {
		snprintf(why, CONFIG_WHY_MAX, "%s, or the environment: %s", path, r->why);
		return ERR_CONFIG;
	}
	return OK;
}

enum err config_load(const char *path, char ret_why[CONFIG_WHY_MAX], struct config **ret_config)
{
	struct reading r = { .config = calloc(1, sizeof *r.config) };
	enum err e;

	ret_why[0] = '\0';
	e = r.config ? set_defaults(r.config) : ERR_NO_MEMORY;
	if (e == OK)
		e = read_all(&r, path, ret_why);
	if (e != OK) {
		config_free(r.config);
		return e;
	}
	*ret_config = r.config;
	return OK;
}

void config_free(struct config *config)
{
	if (!config)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(OPTIONS); i++)
		if (OPTIONS[i].type != OPTION_NUMBER && OPTIONS[i].type != OPTION_FLAG)
			free(*text_at(config, OPTIONS[i].offset));
	config_sections_free(config);
	free(config);
}

struct str config_list_next(struct str *rest)
{
	while (!str_absent(*rest)) {
		struct str item = str_trim(str_cut(rest, ','));

		if (item.n > 0)
			return item;
	}
	return STR_NONE;
}

bool config_list_holds(const char *list, struct str item)
{
	struct str rest = str_of(list), one;

	while (!str_absent(one = config_list_next(&rest)))
		if (str_eq(one, item))
			return true;
	return false;
}

void config_print(const struct config *config, FILE *out)
{
	const char *section = "";

	for (size_t i = 0; i < ARRAY_SIZE(OPTIONS); i++) {
		const struct option *o = &OPTIONS[i];
		const char *place = (const char *)config + o->offset;

		if (strcmp(section, o->section) != 0)
			fprintf(out, "%s[%s]\n", i ? "\n" : "", o->section);
		section = o->section;
		if (o->type == OPTION_NUMBER)
			fprintf(out, "%s = %lld\n", o->key, (long long)*(const int64_t *)place);
		else if (o->type == OPTION_FLAG)
			fprintf(out, "%s = %s\n", o->key, *(const bool *)place ? "yes" : "no");
		else
			fprintf(out, "%s = %s\n", o->key, *(char *const *)place);
	}
	config_sections_print(config, out);
}
