#include "identity/throttle.h"

#include "store/sql_throttle.h"

enum { WINDOW_MS = 3600000 };

/*
 * For strangers together: 10 tries, six more within the next minute, then one a minute. That is 76 in any
 * hour (the bar is 100 password hashes an hour for an account), and an owner at a new address waits a minute
 * at most for a turn.
 */
const struct throttle_rule THROTTLE_ACCOUNT = { .free = 10, .longest_ms = 60000 };
/* From one address: 5 tries, then up to a quarter of an hour. */
const struct throttle_rule THROTTLE_PAIR = { .free = 5, .longest_ms = 900000 };

int64_t throttle_delay_ms(const struct throttle_rule *rule, int64_t failures)
{
	int64_t delay = 1000;

	if (failures < rule->free)
		return 0;
	for (int64_t i = rule->free; i < failures && delay < rule->longest_ms; i++)
		delay *= 2;
	return delay < rule->longest_ms ? delay : rule->longest_ms;
}

static struct str subject_of(const struct throttle_count *count)
{
	return (struct str){ (const char *)count->subject, sizeof(count->subject) };
}

/* Waits for the row, then reads it. ERR_RATE_LIMITED while it is blocked. */
static enum err count_enter(struct ctx *cx, struct throttle_count *count)
{
	struct sql_throttle_lock_in lock = { .subject_hash = subject_of(count) };
	struct sql_throttle_get_in get = { .subject_hash = subject_of(count) };
	struct sql_throttle_get_row row;

	TRY(sql_throttle_lock(cx->db, &lock, NULL));
	TRY(sql_throttle_get(cx->db, &get, &row));
	count->active = true;
	if (row.blocked_until > cx->now_ms) {
		cx->problem.retry_after_s = (row.blocked_until - cx->now_ms + 999) / 1000;
		return ctx_fail(cx, ERR_RATE_LIMITED,
				"Too many tries with a wrong password; try again later.");
	}
	if (row.window_started_at + WINDOW_MS <= cx->now_ms) {
		row.failures = 0;
		row.window_started_at = cx->now_ms;
	}
	count->failures = row.failures;
	count->window_started_at = row.window_started_at;
	return OK;
}

static void account_subject(struct str account, uint8_t ret_subject[SHA256_BYTES])
{
	sha256_of(BYTES(STR("account\n"), account), ret_subject);
}

static void pair_subject(struct str account, struct str address, uint8_t ret_subject[SHA256_BYTES])
{
	sha256_of(BYTES(STR("pair\n"), account, STR("\n"), address), ret_subject);
}

enum err throttle_enter(struct ctx *cx, struct str account, bool known_address,
			struct throttle *throttle)
{
	*throttle = (struct throttle){ 0 };
	account_subject(account, throttle->account.subject);
	pair_subject(account, cx->address, throttle->pair.subject);
	/* Always in this order: two tries can't lock each other out. */
	if (!known_address)
		TRY(count_enter(cx, &throttle->account));
	return count_enter(cx, &throttle->pair);
}

static enum err count_failure(struct ctx *cx, const struct throttle_count *count,
			      const struct throttle_rule *rule)
{
	int64_t failures = count->failures + 1;
	struct sql_throttle_set_in in = { .subject_hash = subject_of(count),
					  .failures = failures,
					  .window_started_at = count->window_started_at,
					  .blocked_until =
						  cx->now_ms + throttle_delay_ms(rule, failures) };

	return count->active ? sql_throttle_set(cx->db, &in, NULL) : OK;
}

enum err throttle_failed(struct ctx *cx, const struct throttle *throttle)
{
	TRY(count_failure(cx, &throttle->account, &THROTTLE_ACCOUNT));
	return count_failure(cx, &throttle->pair, &THROTTLE_PAIR);
}

enum err throttle_passed(struct ctx *cx, const struct throttle *throttle)
{
	struct sql_throttle_clear_in in = { .subject_hash = subject_of(&throttle->pair) };

	return sql_throttle_clear(cx->db, &in, NULL);
}

enum err throttle_forget(struct ctx *cx, struct str account)
{
	uint8_t subject[SHA256_BYTES];
	struct sql_throttle_clear_in in = { .subject_hash = { (const char *)subject,
							      sizeof(subject) } };

	account_subject(account, subject);
	TRY(sql_throttle_clear(cx->db, &in, NULL));
	pair_subject(account, cx->address, subject);
	return sql_throttle_clear(cx->db, &in, NULL);
}
