/* Addresses and URLs: what is taken and what isn't. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "api/format.h"

static void check_all(bool (*check)(struct str), const char *const *texts, bool wanted)
{
	for (; *texts; texts++)
		if (check(str_of(*texts)) != wanted)
			fail_msg("\"%s\" should be %s", *texts, wanted ? "taken" : "refused");
}

static void addresses_that_people_have_are_taken(void **state)
{
	static const char *const texts[] = { "a@b.de",
					     "ada.lovelace+tag@mail.example.co.uk",
					     "o'brien@example.com",
					     "x_y-z@1st.example",
					     "a@xn--bcher-kva.example",
					     NULL };

	(void)state;
	check_all(format_is_email, texts, true);
}

static void addresses_that_could_inject_into_a_mail_are_refused(void **state)
{
	static const char *const texts[] = { "",
					     "@",
					     "a@",
					     "@b.de",
					     "a",
					     "a@b",
					     "a@b@c.de",
					     "a b@c.de",
					     "a@b.de\n",
					     "a\r\nBcc: x@y.de",
					     "\"a b\"@c.de",
					     "a@[127.0.0.1]",
					     "<a@b.de>",
					     "a@b..de",
					     ".a@b.de",
					     "a.@b.de",
					     "a..b@c.de",
					     "a@-b.de",
					     "a@b-.de",
					     "a@b.de.",
					     "a@b_c.de",
					     "\xc3\xa9@b.de",
					     "a@b.de,c@d.de",
					     "a;b@c.de",
					     NULL };

	(void)state;
	check_all(format_is_email, texts, false);
	assert_false(format_is_email(STR("a@b.de\0")));
	assert_false(format_is_email(STR("a\0b@c.de")));
}

static void an_address_may_be_as_long_as_smtp_takes(void **state)
{
	char text[300];

	(void)state;
	memset(text, 'a', sizeof(text));
	memcpy(text + 64, "@b.de", 5);
	assert_true(format_is_email((struct str){ text, 69 }));
	text[64] = 'a';
	memcpy(text + 65, "@b.de", 5);
	assert_false(format_is_email((struct str){ text, 70 }));
	/* 64 + '@' + labels of 63: 254 bytes pass, 255 don't. */
	memset(text, 'a', sizeof(text));
	text[64] = '@';
	text[128] = text[192] = '.';
	assert_true(format_is_email((struct str){ text, 254 }));
	assert_false(format_is_email((struct str){ text, 255 }));
}

static void urls_are_taken(void **state)
{
	static const char *const texts[] = { "https://example.com", "http://127.0.0.1:8080/a?b=c#d",
					     "h2+x://[::1]/", "https://u:p@host/%20", NULL };

	(void)state;
	check_all(format_is_uri, texts, true);
}

static void what_another_url_parser_may_read_differently_is_refused(void **state)
{
	static const char *const texts[] = { "",
					     "example.com",
					     "/a",
					     "//host",
					     "https:",
					     "https:/host",
					     "https://",
					     "https:///path",
					     "https://?q",
					     "https://#f",
					     "1http://host",
					     "ht tp://host",
					     "https://ho st",
					     "https://host\\@evil",
					     "https://host/%2",
					     "https://host/%zz",
					     "https://host/\n",
					     "https://h\xc3\xb6st",
					     "https://<host>",
					     "javascript:alert(1)",
					     "https://@",
					     "https://:80",
					     NULL };

	(void)state;
	check_all(format_is_uri, texts, false);
	assert_false(format_is_uri(STR("https://host\0")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_that_people_have_are_taken),
		cmocka_unit_test(addresses_that_could_inject_into_a_mail_are_refused),
		cmocka_unit_test(an_address_may_be_as_long_as_smtp_takes),
		cmocka_unit_test(urls_are_taken),
		cmocka_unit_test(what_another_url_parser_may_read_differently_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
