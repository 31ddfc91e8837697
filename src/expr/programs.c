/* A small table that is walked: with a hundred hashes to compare, nothing quicker is needed. */
#include "expr/programs.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct entry {
	uint64_t hash;
	char *text;
	size_t n;
	void *value;
	size_t bytes;
	uint64_t used; /* the count of uses when it was the last one */
};

struct programs {
	struct programs_options options;
	uint64_t uses;
	size_t count, bytes;
	struct entry *entry;
};

/* FNV-1a; who makes texts that collide makes only his own search slower. */
static uint64_t hash_of(struct str text)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325);

	for (size_t i = 0; i < text.n; i++)
		hash = (hash ^ (unsigned char)text.p[i]) * UINT64_C(0x100000001b3);
	return hash;
}

enum err programs_new(const struct programs_options *options, struct programs **ret_programs)
{
	struct programs *programs = calloc(1, sizeof(*programs));

	if (!programs)
		return ERR_NO_MEMORY;
	programs->options = *options;
	programs->entry = calloc(options->most, sizeof(*programs->entry));
	if (!programs->entry) {
		programs_free(programs);
		return ERR_NO_MEMORY;
	}
	*ret_programs = programs;
	return OK;
}

/* The last one takes its place. */
static void leave(struct programs *programs, size_t i)
{
	struct entry gone = programs->entry[i];

	programs->entry[i] = programs->entry[--programs->count];
	programs->bytes -= gone.bytes;
	programs->options.drop(gone.value);
	free(gone.text); /* NOLINT(clang-analyzer-unix.Malloc): another one stands in its place now */
}

void programs_free(struct programs *programs)
{
	if (!programs)
		return;
	while (programs->entry && programs->count > 0)
		leave(programs, programs->count - 1);
	free(programs->entry);
	free(programs);
}

void *programs_find(struct programs *programs, struct str text)
{
	uint64_t hash = hash_of(text);

	for (size_t i = 0; i < programs->count; i++) {
		struct entry *entry = &programs->entry[i];

		if (entry->hash != hash || entry->n != text.n || memcmp(entry->text, text.p, text.n) != 0)
			continue;
		entry->used = ++programs->uses;
		return entry->value;
	}
	return NULL;
}

static size_t oldest(const struct programs *programs)
{
	size_t found = 0;

	for (size_t i = 1; i < programs->count; i++)
		if (programs->entry[i].used < programs->entry[found].used)
			found = i;
	return found;
}

enum err programs_add(struct programs *programs, struct str text, void *value, size_t bytes)
{
	const struct programs_options *options = &programs->options;
	char *copy = malloc(text.n + 1);

	if (!copy) {
		options->drop(value);
		return ERR_NO_MEMORY;
	}
	memcpy(copy, text.p, text.n);
	while (programs->count > 0 &&
	       (programs->count >= options->most || programs->bytes + bytes > options->most_bytes))
		leave(programs, oldest(programs));
	programs->entry[programs->count++] = (struct entry){
		.hash = hash_of(text),
		.text = copy,
		.n = text.n,
		.value = value,
		.bytes = bytes,
		.used = ++programs->uses,
	};
	programs->bytes += bytes;
	return OK;
}

size_t programs_count(const struct programs *programs) { return programs->count; }
