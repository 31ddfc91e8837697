/* FastCGI records: what nginx sends is understood, what it never sends is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/random.h"
#include "fcgi/records.h"
#include "fcgi_support.h"

enum { GET_VALUES = 9, ABORT = 2, DATA = 8, PARAMS = 4, STDIN = 5 };

static enum err feed(struct str bytes, struct records *records, struct buf *body)
{
	records_init(records);
	buf_init(body, 1 << 20);
	return records_feed(records, (const uint8_t *)bytes.p, bytes.n, body);
}

static enum err judge(const struct buf *bytes)
{
	struct records records;
	struct buf body;
	enum err e = feed(buf_str(bytes), &records, &body);

	records_done(&records);
	buf_done(&body);
	return e;
}

#define REFUSED(bytes) assert_int_equal(judge(bytes), ERR_BAD_REQUEST)

static void a_request_is_the_same_however_it_is_cut_into_pieces(void **state)
{
	(void)state;
	struct buf bytes BUF_AUTO;

	buf_init(&bytes, 1 << 20);
	put_request(&bytes, "POST", "/a?b", STR("the body"), true);
	for (size_t cut = 1; cut < bytes.n; cut++) {
		struct records records;
		struct buf body BUF_AUTO;
		const uint8_t *p = (const uint8_t *)bytes.p;

		records_init(&records);
		buf_init(&body, 1000);
		assert_int_equal(records_feed(&records, p, cut, &body), OK);
		assert_int_not_equal(records.phase, RECORDS_DONE);
		assert_int_equal(records_feed(&records, p + cut, bytes.n - cut, &body), OK);
		assert_int_equal(records.phase, RECORDS_DONE);
		assert_true(records.keep);
		assert_true(str_eq(buf_str(&body), STR("the body")));
		records_reset(&records);
		assert_true(records_untouched(&records));
		records_done(&records);
	}
}

static void a_second_request_can_follow_on_the_same_connection(void **state)
{
	(void)state;
	struct buf bytes BUF_AUTO;
	struct records records;
	struct buf body;

	buf_init(&bytes, 1 << 20);
	put_request(&bytes, "GET", "/", STR(""), true);
	assert_int_equal(feed(buf_str(&bytes), &records, &body), OK);
	records_reset(&records);
	assert_int_equal(records_feed(&records, (const uint8_t *)bytes.p, bytes.n, &body), OK);
	assert_int_equal(records.phase, RECORDS_DONE);
	records_done(&records);
	buf_done(&body);
}

static void a_second_request_before_the_answer_is_refused(void **state)
{
	(void)state;
	struct buf bytes BUF_AUTO;

	buf_init(&bytes, 1 << 20);
	put_request(&bytes, "GET", "/", STR(""), true);
	put_begin(&bytes, 1, true);
	REFUSED(&bytes);
}

static void a_record_that_may_not_come_first_is_refused(void **state)
{
	(void)state;

	for (int type = 0; type < 256; type++) {
		struct buf bytes BUF_AUTO;

		buf_init(&bytes, 100);
		put_record(&bytes, 1, type, type == GET_VALUES ? 0 : 1, STR("\0\1\0\0\0\0\0\0"), 8, 0);
		assert_int_equal(judge(&bytes), type == FCGI_BEGIN_REQUEST ? OK : ERR_BAD_REQUEST);
	}
}

static void another_version_or_role_or_request_number_is_refused(void **state)
{
	(void)state;
	struct buf bytes BUF_AUTO;

	buf_init(&bytes, 100);
	put_record(&bytes, 2, FCGI_BEGIN_REQUEST, 1, STR("\0\1\0\0\0\0\0\0"), 8, 0);
	REFUSED(&bytes);
	for (int role = 0; role < 5; role++) {
		buf_clear(&bytes);
		put_begin(&bytes, role, true);
		assert_int_equal(judge(&bytes), role == 1 ? OK : ERR_BAD_REQUEST);
	}
	buf_clear(&bytes);
	put_begin(&bytes, 1, true);
	put_record(&bytes, 1, PARAMS, 2, STR(""), 0, 0);
	REFUSED(&bytes);
	buf_clear(&bytes);
	put_record(&bytes, 1, FCGI_BEGIN_REQUEST, 0, STR("\0\1\0\0\0\0\0\0"), 8, 0);
	REFUSED(&bytes);
}

static void records_out_of_turn_are_refused(void **state)
{
	(void)state;
	static const int after_begin[] = { FCGI_BEGIN_REQUEST, ABORT, STDIN, DATA, GET_VALUES, 11, 200 };
	static const int after_params[] = { FCGI_BEGIN_REQUEST, ABORT, PARAMS, DATA, GET_VALUES, 11, 200 };
	struct buf bytes BUF_AUTO;

	buf_init(&bytes, 1000);
	for (size_t i = 0; i < ARRAY_SIZE(after_begin); i++) {
		buf_clear(&bytes);
		put_begin(&bytes, 1, false);
		put_record(&bytes, 1, after_begin[i], after_begin[i] == GET_VALUES ? 0 : 1, STR(""), 0, 0);
		REFUSED(&bytes);
		buf_clear(&bytes);
		put_begin(&bytes, 1, false);
		put_stream(&bytes, PARAMS, STR(""));
		put_record(&bytes, 1, after_params[i], after_params[i] == GET_VALUES ? 0 : 1, STR(""), 0, 0);
		REFUSED(&bytes);
	}
}

static enum err judge_params(struct str params)
{
	struct buf bytes BUF_AUTO;

	buf_init(&bytes, 1 << 20);
	put_begin(&bytes, 1, true);
	put_stream(&bytes, PARAMS, params);
	return judge(&bytes);
}

static void a_length_that_is_larger_than_what_came_is_refused(void **state)
{
	(void)state;
	/* The pairs that overflow libfcgi's sum of lengths, and their smaller relatives. */
	assert_int_equal(judge_params(STR("\xff\xff\xff\xff\xff\xff\xff\xff" "abcd")), ERR_BAD_REQUEST);
	assert_int_equal(judge_params(STR("\xff\xff\xff\xfe\xff\xff\xff\xfe" "abcd")), ERR_BAD_REQUEST);
	assert_int_equal(judge_params(STR("\xff\xff\xff\xff\x01" "abcd")), ERR_BAD_REQUEST);
	assert_int_equal(judge_params(STR("\x01\xff\xff\xff\xff" "abcd")), ERR_BAD_REQUEST);
	assert_int_equal(judge_params(STR("\x02\x03" "abcd")), ERR_BAD_REQUEST);
	assert_int_equal(judge_params(STR("\x80\x00\x00")), ERR_BAD_REQUEST);
	assert_int_equal(judge_params(STR("\x02")), ERR_BAD_REQUEST);
	assert_int_equal(judge_params(STR("\x02\x02" "abcd")), OK);
	assert_int_equal(judge_params(STR("\x80\x00\x00\x02\x02" "abcd")), OK);
}

static void a_pair_that_would_read_as_another_one_is_refused(void **state)
{
	(void)state;
	assert_int_equal(judge_params(STR("\x03\x01" "A=Bx")), ERR_BAD_REQUEST);
	assert_int_equal(judge_params(STR("\x02\x01" "A\0x")), ERR_BAD_REQUEST);
	assert_int_equal(judge_params(STR("\x01\x02" "Ax\0")), ERR_BAD_REQUEST);
	assert_int_equal(judge_params(STR("\x00\x01" "x")), ERR_BAD_REQUEST);
	assert_int_equal(judge_params(STR("\x01\x00" "A")), OK);
}

static void a_flood_of_parameters_is_refused(void **state)
{
	(void)state;
	struct buf params BUF_AUTO;

	buf_init(&params, 1 << 20);
	for (int i = 0; i < RECORDS_PARAMS_COUNT; i++)
		put_pair(&params, "A", "");
	assert_int_equal(judge_params(buf_str(&params)), OK);
	put_pair(&params, "A", "");
	assert_int_equal(judge_params(buf_str(&params)), ERR_BAD_REQUEST);
	while (params.n < RECORDS_PARAMS_BYTES)
		put_pair(&params, "A", "");
	put_pair(&params, "A", "");
	assert_int_equal(judge_params(buf_str(&params)), ERR_BAD_REQUEST);
}

static void no_bytes_at_all_make_the_reader_misbehave(void **state)
{
	(void)state;
	struct buf good BUF_AUTO;
	uint8_t noise[64];

	buf_init(&good, 1 << 20);
	put_request(&good, "POST", "/a?b", STR("the body"), true);
	for (int round = 0; round < 5000; round++) {
		struct buf bytes BUF_AUTO;

		buf_init(&bytes, 1 << 20);
		buf_add_str(&bytes, buf_str(&good));
		assert_int_equal(random_bytes(noise, sizeof(noise)), OK);
		for (size_t i = 0; i + 2 < (size_t)(noise[63] % 8 + 1) * 3; i += 3)
			bytes.p[(size_t)(noise[i] << 8 | noise[i + 1]) % bytes.n] = (char)noise[i + 2];
		(void)!judge(&bytes); /* the sanitizers judge */
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_request_is_the_same_however_it_is_cut_into_pieces),
		cmocka_unit_test(a_second_request_can_follow_on_the_same_connection),
		cmocka_unit_test(a_second_request_before_the_answer_is_refused),
		cmocka_unit_test(a_record_that_may_not_come_first_is_refused),
		cmocka_unit_test(another_version_or_role_or_request_number_is_refused),
		cmocka_unit_test(records_out_of_turn_are_refused),
		cmocka_unit_test(a_length_that_is_larger_than_what_came_is_refused),
		cmocka_unit_test(a_pair_that_would_read_as_another_one_is_refused),
		cmocka_unit_test(a_flood_of_parameters_is_refused),
		cmocka_unit_test(no_bytes_at_all_make_the_reader_misbehave),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
