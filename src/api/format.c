#include "api/format.h"

#include <string.h>

/* ASCII only, whatever the locale is. */
static bool is_hex(char c) { return str_hex_digit(c) >= 0; }
static bool is_one_of(char c, const char *set) { return c != '\0' && strchr(set, c); }

static bool all_atom(struct str part)
{
	for (size_t i = 0; i < part.n; i++)
		if (!char_is_letter(part.p[i]) && !char_is_digit(part.p[i]) &&
		    !is_one_of(part.p[i], "!#$%&'*+-/=?^_`{|}~"))
			return false;
	return part.n > 0;
}

/* RFC 1035, section 2.3.1, with RFC 1123's leading digit. */
static bool is_label(struct str label)
{
	for (size_t i = 0; i < label.n; i++)
		if (!char_is_letter(label.p[i]) && !char_is_digit(label.p[i]) && label.p[i] != '-')
			return false;
	return label.n > 0 && label.n <= 63 && label.p[0] != '-' && label.p[label.n - 1] != '-';
}

bool format_is_email(struct str text)
{
	struct str domain = text, local = str_cut(&domain, '@');
	size_t labels = 0;

	if (text.n > 254 || local.n > 64 || str_absent(domain))
		return false;
	while (!str_absent(local))
		if (!all_atom(str_cut(&local, '.')))
			return false;
	while (!str_absent(domain)) {
		if (!is_label(str_cut(&domain, '.')))
			return false;
		labels++;
	}
	return labels >= 2;
}

bool format_is_uri(struct str text)
{
	struct str rest = text, scheme = str_cut(&rest, ':');

	if (scheme.n == 0 || !char_is_letter(scheme.p[0]) || !str_starts(rest, STR("//")))
		return false;
	for (size_t i = 0; i < scheme.n; i++)
		if (!char_is_letter(scheme.p[i]) && !char_is_digit(scheme.p[i]) &&
		    !is_one_of(scheme.p[i], "+-."))
			return false;
	for (size_t i = 2; i < rest.n; i++) {
		char c = rest.p[i];
		if (c == '%' ? rest.n - i < 3 || !is_hex(rest.p[i + 1]) || !is_hex(rest.p[i + 2])
			     : !char_is_letter(c) && !char_is_digit(c) &&
				       !is_one_of(c, "-._~:/?#[]@!$&'()*+,;="))
			return false;
	}
	return rest.n > 2 && !is_one_of(rest.p[2], "/?#:@");
}
