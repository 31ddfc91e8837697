/*
 * latchctl: what the operator does. The verbs are in verbs.def, their options in
 * options.def; the usage texts there are what the command line is read by.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "crypt/keyring.h"
#include "main/ctl.h"
#include "store/db.h"

#define VERB(name, usage, run, words) { name, usage, run, words },
const struct ctl_verb CTL_VERBS[] = {
#include "main/verbs.def"
};
#undef VERB
const size_t CTL_VERB_COUNT = ARRAY_SIZE(CTL_VERBS);

static const struct {
	const char *name, *argument;
} OPTIONS[] = {
#define OPTION(name, argument, words) { name, argument },
#include "main/options.def"
#undef OPTION
};

_Static_assert(ARRAY_SIZE(OPTIONS) <= CTL_OPTIONS_MAX, "struct ctl has a place for each option");

/* These go with every verb. */
static const char EVERYWHERE[] = "[--config FILE] [--json] [--quiet]";

const char *ctl_option(const struct ctl *ctl, const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(OPTIONS); i++)
		if (strcmp(OPTIONS[i].name, name) == 0)
			return ctl->option[i];
	return NULL;
}

/* --- the usage as grammar ------------------------------------------------------ */

enum word_kind { WORD_END, WORD_ARGUMENT, WORD_OPTION };

struct word {
	enum word_kind kind;
	bool optional;
	struct str name;
};

/* Takes one word off a usage: an argument, or an option with its value. */
static struct word next_word(struct str *usage)
{
	struct word word = { 0 };
	struct str text;

	*usage = str_trim(*usage);
	text = str_cut(usage, ' ');
	if (text.n == 0)
		return word;
	word.optional = text.p[0] == '[';
	text = str_slice(text, word.optional, text.n);
	word.kind = str_starts(text, STR("--")) ? WORD_OPTION : WORD_ARGUMENT;
	word.name = str_slice(text, word.kind == WORD_OPTION ? 2 : 0, text.n);
	/* The value's name belongs to the option; an option without one ends its bracket itself. */
	if (word.kind == WORD_OPTION && !str_ends(word.name, STR("]")) && !str_absent(*usage) && usage->n > 0 &&
	    usage->p[0] >= 'A' && usage->p[0] <= 'Z') {
		bool takes_value = false;

		for (size_t i = 0; i < ARRAY_SIZE(OPTIONS); i++)
			if (str_eq(str_of(OPTIONS[i].name), word.name))
				takes_value = OPTIONS[i].argument[0] != '\0';
		if (takes_value)
			(void)str_cut(usage, ' ');
	}
	if (str_ends(word.name, STR("]")))
		word.name.n--;
	return word;
}

static bool usage_allows(const char *usage, struct str option)
{
	struct str rest = str_of(usage);
	struct word word;

	while ((word = next_word(&rest)).kind != WORD_END)
		if (word.kind == WORD_OPTION && str_eq(word.name, option))
			return true;
	return false;
}

static int wrong(const struct ctl_verb *verb, const char *what, const char *which)
{
	fprintf(stderr, "latchctl: %s %s\nusage: latchctl %s %s\n", what, which, verb->name, verb->usage);
	return 2;
}

/* The words before the verb: options that go with every verb may stand there. */
static int leading_words(char **words, int count)
{
	int i = 0;

	while (i < count && strncmp(words[i], "--", 2) == 0)
		i += strcmp(words[i], "--config") == 0 ? 2 : 1;
	return i < count ? i : count;
}

/* Fills in one option; returns how many words it took, 0 when it is wrong. */
static int read_option(struct ctl *ctl, char **words, int left)
{
	struct str text = str_of(words[0] + 2), value, name;

	value = text;
	name = str_cut(&value, '=');
	for (size_t i = 0; i < ARRAY_SIZE(OPTIONS); i++) {
		bool takes_value = OPTIONS[i].argument[0] != '\0';

		if (!str_eq(name, str_of(OPTIONS[i].name)) ||
		    (!usage_allows(ctl->verb->usage, name) && !usage_allows(EVERYWHERE, name)))
			continue;
		if (takes_value && str_absent(value) && left < 2)
			return 0;
		ctl->option[i] = !takes_value ? "" : str_absent(value) ? words[1] : value.p;
		return takes_value && str_absent(value) ? 2 : 1;
	}
	return 0;
}

static int check_complete(const struct ctl *ctl, size_t given)
{
	struct str rest = str_of(ctl->verb->usage);
	struct word word;
	size_t arguments = 0;
	char name[32];

	while ((word = next_word(&rest)).kind != WORD_END) {
		snprintf(name, sizeof name, "%.*s", STR_ARG(word.name));
		if (word.kind == WORD_OPTION && !word.optional && !ctl_option(ctl, name))
			return wrong(ctl->verb, "needs --", name);
		if (word.kind == WORD_ARGUMENT && !word.optional && arguments >= given)
			return wrong(ctl->verb, "needs", name);
		if (word.kind == WORD_ARGUMENT)
			arguments = str_ends(word.name, STR("...")) ? CTL_ARGUMENTS_MAX : arguments + 1;
	}
	return given > arguments ? wrong(ctl->verb, "doesn't know", ctl->argument[arguments]) : 0;
}

static int read_words(struct ctl *ctl, char **words, int count, size_t *ret_given)
{
	size_t given = 0;

	for (int i = 0; i < count;) {
		if (strncmp(words[i], "--", 2) == 0) {
			int taken = read_option(ctl, words + i, count - i);

			if (taken == 0)
				return wrong(ctl->verb, "doesn't take", words[i]);
			i += taken;
		} else if (given < CTL_ARGUMENTS_MAX) {
			ctl->argument[given++] = words[i++];
		} else {
			return wrong(ctl->verb, "doesn't know", words[i]);
		}
	}
	*ret_given = given;
	return 0;
}

/* The verb of one or two words that the command line begins with, and how many words that were. */
static const struct ctl_verb *find_verb(char **words, int count, int *ret_taken)
{
	char two[64] = "";

	if (count > 1)
		snprintf(two, sizeof two, "%s %s", words[0], words[1]);
	for (size_t i = 0; count > 0 && i < CTL_VERB_COUNT; i++) {
		*ret_taken = strchr(CTL_VERBS[i].name, ' ') ? 2 : 1;
		if (strcmp(CTL_VERBS[i].name, *ret_taken == 2 ? two : words[0]) == 0)
			return &CTL_VERBS[i];
	}
	return NULL;
}

static int read_command_line(struct ctl *ctl, int argc, char **argv)
{
	int before = leading_words(argv + 1, argc - 1), taken = 0, result;
	char **verb = argv + 1 + before;
	size_t given = 0;

	ctl->verb = find_verb(verb, argc - 1 - before, &taken);
	if (!ctl->verb) {
		fprintf(stderr, "latchctl: %s\nTry: latchctl help\n",
			argc > 1 ? "there is no such verb" : "which verb?");
		return 2;
	}
	result = read_words(ctl, argv + 1, before, &given);
	if (result == 0)
		result = read_words(ctl, verb + taken, argc - 1 - before - taken, &given);
	return result == 0 ? check_complete(ctl, given) : result;
}

static void close_all(struct ctl *ctl)
{
	db_free(ctl->cx.db);
	keyring_free(ctl->cx.vault_keys);
	keyring_free(ctl->cx.front_keys);
	arena_free(ctl->cx.arena);
	config_free(ctl->config);
}

static bool needs_config(const struct ctl_verb *verb) { return verb->run != ctl_help && verb->run != ctl_completion; }

int main(int argc, char **argv)
{
	struct ctl ctl = { 0 };
	int result = read_command_line(&ctl, argc, argv);

	if (result != 0)
		return result;
	if (start_process("latchctl") != OK)
		return EXIT_FAILURE;
	log_set_level(LOG_ERROR);
	if (needs_config(ctl.verb) && start_config(ctl_option(&ctl, "config"), &ctl.config) != OK)
		return EXIT_FAILURE;
	log_set_level(LOG_WARN);
	result = ctl.verb->run(&ctl) == OK ? EXIT_SUCCESS : EXIT_FAILURE;
	close_all(&ctl);
	return fflush(stdout) == 0 ? result : EXIT_FAILURE;
}
