#include "connect/verify.h"

static const struct {
	const char *text, *words;
} CODES[VERIFY_CODES] = {
#define VERIFY_CODE(name, words) [VERIFY_##name] = { #name, words },
#include "connect/verify_codes.def"
#undef VERIFY_CODE
};

const char *verify_code_text(enum verify_code code)
{
	return code == VERIFY_OK ? "" : CODES[code].text;
}

const char *verify_code_words(enum verify_code code) { return CODES[code].words; }
