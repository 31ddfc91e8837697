/* The arena and the buffer: caps, reuse, wiping. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/buf.h"

enum { FIRST_BLOCK = 16 << 10 };

static bool all_zero(const void *bytes, size_t n)
{
	const unsigned char *p = bytes;

	for (size_t i = 0; i < n; i++)
		if (p[i] != 0)
			return false;
	return true;
}

static void memory_of_an_arena_is_zeroed_and_aligned(void **state)
{
	(void)state;
	struct arena *arena = arena_new(1 << 20);

	assert_non_null(arena);
	for (size_t n = 0; n < 300; n++) {
		char *p = arena_alloc(arena, n);
		assert_non_null(p);
		assert_int_equal((uintptr_t)p % _Alignof(max_align_t), 0);
		assert_true(all_zero(p, n));
		memset(p, 'x', n);
	}
	arena_free(arena);
}

static void an_arena_never_passes_its_cap(void **state)
{
	(void)state;
	struct arena *arena = arena_new(1008);

	assert_non_null(arena);
	assert_false(arena_was_full(arena));
	assert_null(arena_alloc(arena, 1009));
	assert_true(arena_was_full(arena));
	assert_null(arena_alloc(arena, SIZE_MAX));
	assert_non_null(arena_alloc(arena, 600)); /* counts as 608 */
	assert_null(arena_alloc(arena, 401));
	assert_non_null(arena_alloc(arena, 400));
	assert_int_equal(arena_used(arena), 1008);
	assert_null(arena_alloc(arena, 0));
	arena_reset(arena);
	assert_int_equal(arena_used(arena), 0);
	assert_false(arena_was_full(arena));
	assert_non_null(arena_alloc(arena, 1000));
	arena_free(arena);
}

static void sizes_near_the_end_of_size_t_do_not_wrap(void **state)
{
	(void)state;
	struct arena *arena = arena_new(SIZE_MAX);

	assert_non_null(arena);
	assert_null(arena_alloc(arena, SIZE_MAX));
	assert_null(arena_alloc(arena, SIZE_MAX - 15));
	assert_null(arena_alloc(arena, SIZE_MAX - 100));
	assert_null(arena_array(arena, SIZE_MAX / 2, 3));
	assert_non_null(arena_array(arena, 3, 5));
	arena_free(arena);
}

static void large_pieces_are_given_whole(void **state)
{
	(void)state;
	struct arena *arena = arena_new(10 << 20);
	char *big = arena_alloc(arena, 3 << 20);

	assert_non_null(big);
	memset(big, 'b', 3 << 20);
	char *small = arena_alloc(arena, 100);
	assert_non_null(small);
	assert_true(all_zero(small, 100));
	assert_int_equal(big[(3 << 20) - 1], 'b');
	arena_free(arena);
}

static void what_a_request_left_is_gone_after_the_reset(void **state)
{
	(void)state;
	struct arena *arena = arena_new(1 << 20);
	char *p = arena_alloc(arena, 500);

	assert_non_null(p);
	memset(p, 'S', 500);
	assert_non_null(
		arena_alloc(arena, 2 * FIRST_BLOCK)); /* a second block, freed by the reset */
	arena_reset(arena);
	/* The first block is kept: p still points into it. */
	assert_true(all_zero(p, 500));
	assert_ptr_equal(arena_alloc(arena, 500), p);
	arena_free(arena);
}

static char order[8];

static void note_one(void *object) { strncat(order, object, 1); }

static void disposers_run_once_the_newest_first(void **state)
{
	(void)state;
	struct arena *arena = arena_new(4096);
	char a[] = "a", b[] = "b", c[] = "c";

	order[0] = '\0';
	assert_int_equal(arena_defer(arena, note_one, a), OK);
	assert_int_equal(arena_defer(arena, note_one, b), OK);
	assert_int_equal(arena_defer(arena, note_one, c), OK);
	assert_string_equal(order, "");
	arena_reset(arena);
	assert_string_equal(order, "cba");
	arena_reset(arena);
	assert_string_equal(order, "cba");
	assert_int_equal(arena_defer(arena, note_one, a), OK);
	arena_free(arena);
	assert_string_equal(order, "cbaa");
}

static void an_object_that_cannot_be_noted_is_disposed_of_at_once(void **state)
{
	(void)state;
	struct arena *arena = arena_new(8);
	char a[] = "a";

	order[0] = '\0';
	assert_int_equal(arena_defer(arena, note_one, a), ERR_NO_MEMORY);
	assert_string_equal(order, "a");
	arena_free(arena);
	assert_string_equal(order, "a");
}

static void copies_end_with_a_nul_that_is_not_counted(void **state)
{
	(void)state;
	struct arena *arena = arena_new(2048);
	struct str copy = arena_copy(arena, str_slice(STR("abcdef"), 0, 3));

	assert_true(str_eq(copy, STR("abc")));
	assert_string_equal(copy.p, "abc");
	assert_true(str_eq(arena_copy(arena, STR("")), STR("")));
	assert_true(str_absent(arena_copy(arena, STR_NONE)));
	arena_free(arena);
}

static void formatted_text_of_any_length_is_whole(void **state)
{
	(void)state;
	struct arena *arena = arena_new(4096);

	assert_true(str_eq(arena_printf(arena, "%s-%d", "n", 7), STR("n-7")));
	for (int n = 250; n < 260; n++) {
		struct str s = arena_printf(arena, "%0*d", n, 1);
		assert_int_equal(s.n, n);
		assert_int_equal(strlen(s.p), n);
		assert_int_equal(s.p[n - 1], '1');
	}
	assert_true(str_absent(arena_printf(arena, "%05000d", 1)));
	arena_free(arena);
	arena_free(NULL);
	arena_reset(NULL);
}

static void a_buffer_grows_and_keeps_what_was_added(void **state)
{
	(void)state;
	BUF_AUTO struct buf buf;

	buf_init(&buf, 1 << 20);
	assert_int_equal(buf_str(&buf).n, 0);
	assert_non_null(buf_str(&buf).p);
	for (int i = 0; i < 10000; i++)
		buf_printf(&buf, "%05d;", i);
	buf_add_c(&buf, "end");
	buf_add_char(&buf, '.');
	buf_add_str(&buf, STR_NONE);
	assert_int_equal(buf_error(&buf), OK);
	struct str s = buf_str(&buf);
	assert_int_equal(s.n, 60004);
	assert_true(str_starts(s, STR("00000;00001;")));
	assert_true(str_ends(s, STR("09999;end.")));
}

static void a_buffer_never_passes_its_cap_and_stays_failed(void **state)
{
	(void)state;
	BUF_AUTO struct buf buf;

	buf_init(&buf, 10);
	buf_add_c(&buf, "0123456789");
	assert_int_equal(buf_error(&buf), OK);
	buf_add_char(&buf, 'x');
	assert_int_equal(buf_error(&buf), ERR_TOO_BIG);
	assert_true(str_eq(buf_str(&buf), STR("0123456789")));
	assert_null(buf_reserve(&buf, 0));
	buf_clear(&buf);
	buf_add_c(&buf, "01234567");
	buf_add_c(&buf, "too long"); /* dropped whole ... */
	buf_add_c(&buf, "8");        /* ... and so is what follows */
	assert_true(str_eq(buf_str(&buf), STR("01234567")));
	assert_int_equal(buf_error(&buf), ERR_TOO_BIG);
	buf_done(&buf);
	assert_int_equal(buf_error(&buf), OK);
	buf_add_c(&buf, "01234567890");
	assert_int_equal(buf_error(&buf), ERR_TOO_BIG);
}

static void formatted_text_may_fill_a_buffer_to_its_cap(void **state)
{
	(void)state;
	BUF_AUTO struct buf buf;

	for (int n = 1; n < 600; n += 13) {
		buf_init(&buf, (size_t)n);
		buf_printf(&buf, "%0*d", n, 3);
		assert_int_equal(buf_error(&buf), OK);
		assert_int_equal(buf_str(&buf).n, n);
		assert_int_equal(buf_str(&buf).p[n - 1], '3');
		buf_clear(&buf);
		buf_printf(&buf, "%0*d", n + 1, 3);
		assert_int_equal(buf_error(&buf), ERR_TOO_BIG);
		buf_done(&buf);
	}
}

static void a_cleared_buffer_holds_nothing_of_before(void **state)
{
	(void)state;
	BUF_AUTO struct buf buf;

	buf_init(&buf, 1 << 20);
	buf_add_c(&buf, "secret body");
	char *room = buf_reserve(&buf, 100);
	assert_non_null(room);
	memset(room, 'S', 100); /* written, but only 10 of it kept */
	buf_advance(&buf, 10);
	const char *kept = buf.p;
	buf_clear(&buf);
	assert_ptr_equal(buf.p, kept);
	assert_int_equal(buf.n, 0);
	assert_true(all_zero(kept, 111));
	buf_add_c(&buf, "b");
	assert_true(str_eq(buf_str(&buf), STR("b")));
}

static void a_large_buffer_is_given_back_when_cleared(void **state)
{
	(void)state;
	BUF_AUTO struct buf buf;

	buf_init(&buf, 16 << 20);
	assert_non_null(buf_reserve(&buf, 8 << 20));
	buf_clear(&buf);
	assert_int_equal(buf.capacity, 0);
	buf_add_c(&buf, "again");
	assert_true(str_eq(buf_str(&buf), STR("again")));
}

static void counting_more_than_was_reserved_is_refused(void **state)
{
	(void)state;
	BUF_AUTO struct buf buf;

	buf_init(&buf, 1000);
	assert_non_null(buf_reserve(&buf, 10));
	buf_advance(&buf, 100000);
	assert_int_equal(buf_error(&buf), ERR_TOO_BIG);
	assert_int_equal(buf_str(&buf).n, 0);
}

static void what_a_url_would_misread_is_encoded(void **state)
{
	BUF_AUTO struct buf buf = { 0 };

	(void)state;
	buf_init(&buf, 64);
	buf_add_percent(&buf, STR("aZ09-._~ /?&=%+\"\n\xc3\xa4"));
	buf_add_percent(&buf, STR_NONE);
	assert_int_equal(buf_error(&buf), OK);
	assert_true(str_eq(buf_str(&buf), STR("aZ09-._~%20%2F%3F%26%3D%25%2B%22%0A%C3%A4")));
	for (int i = 0; i < 64; i++)
		buf_add_percent(&buf, STR("%"));
	assert_int_equal(buf_error(&buf), ERR_TOO_BIG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(memory_of_an_arena_is_zeroed_and_aligned),
		cmocka_unit_test(an_arena_never_passes_its_cap),
		cmocka_unit_test(sizes_near_the_end_of_size_t_do_not_wrap),
		cmocka_unit_test(large_pieces_are_given_whole),
		cmocka_unit_test(what_a_request_left_is_gone_after_the_reset),
		cmocka_unit_test(disposers_run_once_the_newest_first),
		cmocka_unit_test(an_object_that_cannot_be_noted_is_disposed_of_at_once),
		cmocka_unit_test(copies_end_with_a_nul_that_is_not_counted),
		cmocka_unit_test(formatted_text_of_any_length_is_whole),
		cmocka_unit_test(a_buffer_grows_and_keeps_what_was_added),
		cmocka_unit_test(a_buffer_never_passes_its_cap_and_stays_failed),
		cmocka_unit_test(formatted_text_may_fill_a_buffer_to_its_cap),
		cmocka_unit_test(a_cleared_buffer_holds_nothing_of_before),
		cmocka_unit_test(a_large_buffer_is_given_back_when_cleared),
		cmocka_unit_test(what_a_url_would_misread_is_encoded),
		cmocka_unit_test(counting_more_than_was_reserved_is_refused),
	};

	return cmocka_run_group_tests_name("base: arena and buffer", tests, NULL, NULL);
}
