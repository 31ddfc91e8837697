#include "connect/token_hint.h"

#include <stddef.h>
#include <string.h>

#include "connect/token.h"

/* Each has one place, which the next one that belongs there takes. */
enum { PLACES = 4096 };

static struct hint {
	struct id credential;
	int64_t fresh_until;
} hints[PLACES];

/* An id ends in random bits. */
static struct hint *place_of(const struct id *credential)
{
	uint16_t end;

	memcpy(&end, credential->b + sizeof(credential->b) - sizeof(end), sizeof(end));
	return &hints[end % PLACES];
}

bool token_hint_is_fresh(const struct id *credential, int64_t now_ms)
{
	const struct hint *hint = place_of(credential);

	return id_eq(&hint->credential, credential) && now_ms <= hint->fresh_until;
}

void token_hint_note(const struct id *credential, struct opt_int expires_at)
{
	*place_of(credential) =
		(struct hint){ *credential, expires_at.set ? expires_at.v - TOKEN_VALID_MS : INT64_MAX };
}

void token_hint_forget(const struct id *credential)
{
	struct hint *hint = place_of(credential);

	if (id_eq(&hint->credential, credential))
		*hint = (struct hint){ 0 };
}
