/* json_check and json_read say the same of a text, but for what only a tree shows. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_read.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool says(struct str why, const char *words)
{
	return why.p && memmem(why.p, why.n, words, strlen(words)) != NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct arena *arena;
	struct str text = { (const char *)data, size }, why = STR_NONE;
	json_t *tree;

	if (!arena && (json_setup() != OK || !(arena = arena_new(64 << 20))))
		abort();
	enum err read = json_read(arena, text, &tree, &why), checked = json_check(text);
	if (read == OK && checked != OK)
		abort();
	if (read == ERR_BAD_JSON && checked == OK && !says(why, "a member's name is there twice") &&
	    !says(why, "a number is too large"))
		abort();
	arena_reset(arena);
	return 0;
}
