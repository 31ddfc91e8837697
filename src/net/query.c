#include "net/query.h"

#include "net/login_attempt.h"

/* --- what kind of statement ---------------------------------------------------------------------------- */

/* Behind white space, opening parentheses and comments. */
static struct str skip_to_word(struct str text)
{
	size_t i = 0;

	while (i < text.n) {
		if (text.p[i] == '(' || text.p[i] == ' ' || (text.p[i] >= '\t' && text.p[i] <= '\r')) {
			i++;
		} else if (str_starts(str_slice(text, i, 2), STR("--"))) {
			while (i < text.n && text.p[i] != '\n')
				i++;
		} else if (str_starts(str_slice(text, i, 2), STR("/*"))) {
			for (i += 2; i < text.n && !str_starts(str_slice(text, i, 2), STR("*/")); i++)
				;
			i += 2;
		} else {
			break;
		}
	}
	return str_slice(text, i, SIZE_MAX);
}

bool query_reads(struct str text)
{
	static const struct str WORDS[] = { STR("select"), STR("with"), STR("values"), STR("table") };
	struct str rest = skip_to_word(text);
	size_t n = 0;

	while (n < rest.n && char_is_letter(rest.p[n]))
		n++;
	for (size_t i = 0; i < ARRAY_SIZE(WORDS); i++)
		if (str_eq_nocase(str_slice(rest, 0, n), WORDS[i]))
			return true;
	return false;
}

/* --- the query -------------------------------------------------------------------------------------------- */

typedef enum err (*attempt_function)(const struct login *, const struct egress_policy *, struct querying *,
				     struct login_answer *);

static enum err run(const struct query *query, const struct egress_policy *policy, attempt_function attempt,
		    struct query_answer *ret_answer)
{
	struct querying querying = { query, ret_answer };
	struct login_answer login;
	enum err e;

	*ret_answer = (struct query_answer){ .end = LOGIN_ODD };
	if (query->values > QUERY_PARAMETERS_MAX || str_find(query->text, '\0') < query->text.n) {
		ret_answer->words = "There are too many parameters, or the query has characters that can't be sent.";
		return OK;
	}
	e = attempt(&query->login, policy, &querying, &login);
	ret_answer->end = login.end;
	ret_answer->words = login.words;
	return e;
}

enum err query_postgresql(const struct query *query, const struct egress_policy *policy,
			  struct query_answer *ret_answer)
{
	return run(query, policy, attempt_postgresql, ret_answer);
}

enum err query_mysql(const struct query *query, const struct egress_policy *policy, struct query_answer *ret_answer)
{
	return run(query, policy, attempt_mysql, ret_answer);
}
