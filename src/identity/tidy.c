#include "identity/tidy.h"

#include "identity/throttle.h"
#include "store/sql_link.h"
#include "store/sql_mail.h"
#include "store/sql_session.h"
#include "store/sql_throttle.h"

enum { BATCH = 1000 };

#define HOUR_MS INT64_C(3600000)
#define DAY_MS (24 * HOUR_MS)
#define MAIL_KEPT_MS (30 * DAY_MS)

/* The least id of that time (RFC 9562, section 5.7: 48 bits of milliseconds in front). */
static struct id id_of_time(int64_t ms)
{
	struct id id = { { 0 } };

	for (int i = 0; i < 6; i++)
		id.b[i] = (uint8_t)(ms >> (40 - 8 * i));
	return id;
}

/* A session outlives itself by the time for which its address counts as known. */
static enum err tidy_sessions(struct db *db, int64_t now_ms, int64_t *rows)
{
	struct sql_session_expire_in sessions = { .before = now_ms - THROTTLE_KNOWN_MS, .limit = BATCH };
	struct sql_refresh_expire_in tokens = { .before = now_ms - DAY_MS, .limit = BATCH };
	int64_t n;

	TRY(sql_refresh_expire(db, &tokens, &n));
	*rows += n;
	TRY(sql_session_expire(db, &sessions, &n));
	*rows += n;
	return OK;
}

enum err identity_tidy(struct db *db, int64_t now_ms, int64_t *ret_rows)
{
	struct sql_link_expire_in links = { .before = now_ms - DAY_MS, .limit = BATCH };
	struct sql_throttle_expire_in throttle = { .before = now_ms - 2 * HOUR_MS, .limit = BATCH };
	struct sql_mail_expire_in mails = { .before = id_of_time(now_ms - MAIL_KEPT_MS), .limit = BATCH };
	int64_t n;

	*ret_rows = 0;
	TRY(tidy_sessions(db, now_ms, ret_rows));
	TRY(sql_link_expire(db, &links, &n));
	*ret_rows += n;
	TRY(sql_throttle_expire(db, &throttle, &n));
	*ret_rows += n;
	TRY(sql_mail_expire(db, &mails, &n));
	*ret_rows += n;
	return OK;
}
