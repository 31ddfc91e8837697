/*
 * The arena: a list of blocks, the newest first.
 *
 * The memory of a block that wasn't handed out yet is always zero: blocks come
 * from calloc, and a reset zeroes what was used. So handing out costs no memset.
 */
#include "base/arena.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/secret.h"

enum {
	FIRST_BLOCK =
		16 << 10, /* most requests stay inside it, and it is kept from one to the next */
	NEXT_BLOCK = 64 << 10,
	ALIGN = _Alignof(max_align_t)
};

struct block {
	struct block *older;
	size_t size;
	size_t used;
	max_align_t data[];
};

struct disposer {
	struct disposer *older;
	void (*dispose)(void *);
	void *object;
};

struct arena {
	struct block *newest;
	struct disposer *disposers;
	size_t max;
	size_t used;
	bool was_full;
};

static struct block *block_new(size_t size)
{
	struct block *block = calloc(1, sizeof(*block) + size);

	if (block)
		block->size = size;
	return block;
}

struct arena *arena_new(size_t max_bytes)
{
	struct arena *arena = calloc(1, sizeof(*arena));

	if (!arena)
		return NULL;
	arena->max = max_bytes;
	arena->newest = block_new(FIRST_BLOCK);
	if (!arena->newest) {
		free(arena);
		return NULL;
	}
	return arena;
}

void arena_reset(struct arena *arena)
{
	if (!arena)
		return;
	/* Disposers live in the blocks, so they run before anything is zeroed. */
	for (struct disposer *d = arena->disposers; d; d = d->older)
		d->dispose(d->object);
	arena->disposers = NULL;

	struct block *block = arena->newest;
	for (;;) {
		struct block *older = block->older;
		wipe(block->data, block->used);
		block->used = 0;
		if (!older)
			break;
		free(block);
		block = older;
	}
	arena->newest = block;
	arena->used = 0;
	arena->was_full = false;
}

void arena_free(struct arena *arena)
{
	if (!arena)
		return;
	arena_reset(arena);
	free(arena->newest);
	free(arena);
}

void *arena_alloc(struct arena *arena, size_t size)
{
	/* More than half the address space can't be had; below that, rounding up can't overflow. */
	if (size > PTRDIFF_MAX)
		return NULL;
	size_t rounded = size == 0 ? ALIGN : (size + ALIGN - 1) & ~(size_t)(ALIGN - 1);
	if (rounded > arena->max - arena->used) {
		arena->was_full = true;
		return NULL;
	}
	struct block *block = arena->newest;
	if (rounded > block->size - block->used) {
		block = block_new(rounded > NEXT_BLOCK ? rounded : NEXT_BLOCK);
		if (!block)
			return NULL;
		block->older = arena->newest;
		arena->newest = block;
	}
	void *p = (char *)block->data + block->used;
	block->used += rounded;
	arena->used += rounded;
	return p;
}

void *arena_array(struct arena *arena, size_t count, size_t size)
{
	size_t bytes;

	if (__builtin_mul_overflow(count, size, &bytes))
		return NULL;
	return arena_alloc(arena, bytes);
}

struct str arena_copy(struct arena *arena, struct str s)
{
	if (str_absent(s) || s.n == SIZE_MAX)
		return STR_NONE;
	char *p = arena_alloc(arena, s.n + 1);
	if (!p)
		return STR_NONE;
	memcpy(p, s.p, s.n);
	return (struct str){ p, s.n };
}

struct str arena_printf(struct arena *arena, const char *format, ...)
{
	char small[256];
	va_list args;

	va_start(args, format);
	int n = vsnprintf(small, sizeof(small), format, args);
	va_end(args);
	if (n < 0)
		return STR_NONE;
	char *p = arena_alloc(arena, (size_t)n + 1);
	if (p && (size_t)n < sizeof(small)) {
		memcpy(p, small, (size_t)n);
	} else if (p) {
		va_start(args, format);
		vsnprintf(p, (size_t)n + 1, format, args);
		va_end(args);
	}
	wipe(small, (size_t)n < sizeof(small) ? (size_t)n : sizeof(small));
	return p ? (struct str){ p, (size_t)n } : STR_NONE;
}

enum err arena_defer(struct arena *arena, void (*dispose)(void *), void *object)
{
	struct disposer *d = ARENA_NEW(arena, struct disposer);

	if (!d) {
		dispose(object);
		return ERR_NO_MEMORY;
	}
	*d = (struct disposer){ arena->disposers, dispose, object };
	arena->disposers = d;
	return OK;
}

size_t arena_used(const struct arena *arena) { return arena->used; }

bool arena_was_full(const struct arena *arena) { return arena->was_full; }
