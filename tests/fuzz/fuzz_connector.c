/*
 * Files of connector types from anywhere: each is refused with a reason, or it can be used; then its answers are JSON,
 * and no URL leads to a host that it doesn't declare. Nothing leaks either way.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_read.h"
#include "connect/catalog.h"
#include "connect/template.h"
#include "connect/values.h"

enum { URL_MAX = 20000 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void set_up(void)
{
	static bool done;

	if (!done && json_setup() != OK)
		abort();
	done = true;
}

static void check_answer(struct str entry)
{
	struct arena *arena = arena_new(64 << 20);
	json_t *tree;

	if (!arena || json_read(arena, entry, &tree, NULL) != OK)
		abort();
	arena_free(arena);
}

/* Every value is the same hostile text: whatever stands for a host must not let it through. */
static void check_urls(const struct connector_type *type)
{
	static const char *const HOSTILE[] = { "evil.test/", "https://u@evil.test", "a.evil.test#", "..", "https://evil.test" };
	BUF_AUTO struct buf url = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(HOSTILE); i++) {
		VALUES_AUTO struct values values;

		values_init(&values);
		for (size_t k = 0; k < type->fields && k < VALUES_MAX; k++)
			if (values_set(&values, type->field[k].name, str_of(HOSTILE[i])) != OK)
				abort();
		buf_init(&url, URL_MAX);
		if (type->has_oauth2 && template_url(type, type->oauth2.token_url, &values, &url, NULL) == OK &&
		    !str_starts(buf_str(&url), STR("http")))
			abort();
		buf_done(&url);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char why[CATALOG_WHY_MAX];
	struct catalog *catalog;
	enum err e;

	set_up();
	e = catalog_load_text(STR("fuzz"), (struct str){ (const char *)data, size }, why, &catalog);

	if (e == OK) {
		check_answer(catalog_at(catalog, 0)->entry);
		check_urls(catalog_at(catalog, 0));
		catalog_free(catalog);
	} else if (why[0] == '\0' || strlen(why) >= CATALOG_WHY_MAX) {
		abort();
	}
	return 0;
}
