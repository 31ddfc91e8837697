/* Templates: a directory whose files are all sound, or the one that isn't is named before anything starts. */
#include "flow_support.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/json_read.h"
#include "flow/templates.h"

#define ID "tmpl-06b6g2g0003g02000000000001"
#define SOUND(id)                                                                                      \
	"{\"id\": \"" id "\", \"name\": \"N\", \"description\": \"D\", \"category\": \"c\", \"definition\": "   \
	"{\"steps\": [{\"id\": \"a\", \"type\": \"trigger\"}]}}"

static char directory[] = "/tmp/lw-templates-XXXXXX";
static char why[TEMPLATES_WHY_MAX];

static int make_directory(void **state)
{
	(void)state;
	return flow_setup(state) == 0 && mkdtemp(directory) ? 0 : -1;
}

static void path_of(const char *name, char path[256]) { snprintf(path, 256, "%s/%s", directory, name); }

static void put(const char *name, const char *text)
{
	char path[256];
	FILE *file;

	path_of(name, path);
	file = fopen(path, "w");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

static void drop(const char *name)
{
	char path[256];

	path_of(name, path);
	unlink(path);
}

static int drop_directory(void **state)
{
	rmdir(directory);
	return flow_teardown(state);
}

static void assert_loads(size_t count)
{
	struct templates *templates;

	if (templates_load(directory, why, &templates) != OK)
		fail_msg("%s", why);
	assert_int_equal(templates_count(templates), count);
	templates_free(templates);
}

static void assert_not_loaded(const char *file, const char *text, const char *words)
{
	struct templates *templates;

	put(file, text);
	assert_int_equal(templates_load(directory, why, &templates), ERR_CONFIG);
	if (!strstr(why, file) || !strstr(why, words))
		fail_msg("\"%s\" names neither %s nor \"%s\"", why, file, words);
	drop(file);
}

static void test_those_that_ship(void **state)
{
	struct templates *templates;
	char shipped[1024];

	(void)state;
	snprintf(shipped, sizeof shipped, "%s/conf/templates", getenv("top_srcdir") ? getenv("top_srcdir") : ".");
	if (templates_load(shipped, why, &templates) != OK)
		fail_msg("%s", why);
	assert_in_range(templates_count(templates), 10, 200);
	for (size_t i = 0; i < templates_count(templates); i++) {
		const struct flow_template *t = templates_at(templates, i);

		assert_ptr_equal(templates_find(templates, &t->id), t);
	}
	templates_free(templates);
}

static void test_no_directory(void **state)
{
	struct templates *templates;

	(void)state;
	assert_int_equal(templates_load("", why, &templates), OK);
	assert_int_equal(templates_count(templates), 0);
	assert_null(templates_find(templates, &ID_NIL));
	templates_free(templates);
	assert_int_equal(templates_load("/nonexistent/templates", why, &templates), ERR_CONFIG);
	assert_int_equal(templates_count(NULL), 0);
}

static void test_faults_are_named(void **state)
{
	(void)state;
	put("a.json", SOUND(ID));
	put("notes.txt", "not a template");
	assert_loads(1);
	assert_not_loaded("b.json", SOUND(ID), "another template");
	assert_not_loaded("b.json", SOUND("tmpl-1"), "id");
	assert_not_loaded("b.json", "{", "isn't valid JSON");
	assert_not_loaded("b.json", "[]", "id");
	assert_not_loaded("b.json", "{\"id\": \"tmpl-06b6g2g0003g02000000000002\", \"name\": \"N\"}", "members");
	assert_not_loaded("b.json",
			  "{\"id\": \"tmpl-06b6g2g0003g02000000000002\", \"name\": \"N\", \"description\": \"D\", \"category\": "
			  "\"c\", \"definition\": {\"steps\": [{\"id\": \"a\", \"type\": \"nothing\"}]}}",
			  "definition.steps[0].type");
	drop("a.json");
	drop("notes.txt");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_those_that_ship),
		cmocka_unit_test(test_no_directory),
		cmocka_unit_test(test_faults_are_named),
	};

	return cmocka_run_group_tests(tests, make_directory, drop_directory);
}
