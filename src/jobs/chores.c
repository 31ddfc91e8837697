#include "jobs/chores.h"

#include "base/log.h"

enum {
	RETRY_MAX_MS = 5 * 60 * 1000,
	AWAY_FIRST_MS = 1000,
	AWAY_MAX_MS = 30000,
};

enum err chores_init(struct chores *chores, const struct chore *table, size_t count,
		     const struct chores_host *host)
{
	if (count > CHORES_MAX)
		return ERR_TOO_BIG;
	*chores = (struct chores){ .table = table, .count = count, .host = *host };
	chores_hurry(chores);
	return OK;
}

void chores_hurry(struct chores *chores)
{
	int64_t now_ms = chores->host.now_ms(chores->host.arg);

	for (size_t i = 0; i < chores->count; i++)
		chores->state[i].due_ms = now_ms;
	chores->away = true;
	chores->away_until_ms = now_ms;
}

static size_t longest_waiting(const struct chores *chores)
{
	size_t first = 0;

	for (size_t i = 1; i < chores->count; i++)
		if (chores->state[i].due_ms < chores->state[first].due_ms)
			first = i;
	return first;
}

int64_t chores_due_ms(const struct chores *chores)
{
	if (chores->count == 0)
		return INT64_MAX;
	int64_t due_ms = chores->state[longest_waiting(chores)].due_ms;

	return chores->away && chores->away_until_ms > due_ms ? chores->away_until_ms : due_ms;
}

/* Doubled with each failure. */
static int64_t longer(int64_t first_ms, unsigned failures, int64_t most_ms)
{
	int64_t wait_ms = first_ms;

	for (unsigned i = 1; i < failures && wait_ms < most_ms; i++)
		wait_ms *= 2;
	return wait_ms < most_ms ? wait_ms : most_ms;
}

/* One line when it goes and one when it comes back, however often it is tried in between. */
static void note_away(struct chores *chores, enum err e, const char *why)
{
	if (e != chores->why_away)
		log_write(LOG_ERROR,
			  e == ERR_DB_LOST ? "the database is away" : "the database can't be used",
			  LOG_FIELDS(log_err(e), log_text("why", why)));
	chores->away = true;
	chores->why_away = e;
	chores->away_tries++;
	chores->away_until_ms = chores->host.now_ms(chores->host.arg) +
				longer(AWAY_FIRST_MS, chores->away_tries, AWAY_MAX_MS);
}

static bool host_is_ready(struct chores *chores)
{
	if (!chores->away)
		return true;
	const char *why = "";
	enum err e = chores->host.ready(chores->host.arg, &why);
	if (e != OK) {
		note_away(chores, e, why);
		return false;
	}
	if (chores->why_away != OK)
		log_write(LOG_INFO, "the database is back",
			  LOG_FIELDS(log_int("tries", chores->away_tries)));
	chores->away = false;
	chores->why_away = OK;
	chores->away_tries = 0;
	return true;
}

static void note_failure(const struct chore *chore, struct chore_state *state, enum err e)
{
	enum log_level level = err_level(e) < LOG_WARN ? LOG_WARN : err_level(e);

	if (e != state->last)
		log_write(level, "a chore failed",
			  LOG_FIELDS(log_text("chore", chore->name), log_err(e)));
	state->last = e;
	state->failures++;
}

static void note_success(const struct chore *chore, struct chore_state *state)
{
	if (state->failures > 0)
		log_write(LOG_INFO, "a chore works again",
			  LOG_FIELDS(log_text("chore", chore->name),
				     log_int("failures", state->failures)));
	state->last = OK;
	state->failures = 0;
}

static bool is_outage(enum err e) { return e == ERR_DB_LOST || e == ERR_DB_UNSURE; }

void chores_step(struct chores *chores)
{
	int64_t now_ms = chores->host.now_ms(chores->host.arg);

	if (chores_due_ms(chores) > now_ms || !host_is_ready(chores))
		return;
	size_t i = longest_waiting(chores);
	const struct chore *chore = &chores->table[i];
	struct chore_state *state = &chores->state[i];
	int64_t most_ms = chore->interval_ms > RETRY_MAX_MS ? chore->interval_ms : RETRY_MAX_MS;

	if (state->due_ms > now_ms)
		return;
	enum err e = chores->host.call(chores->host.arg, chore);
	now_ms = chores->host.now_ms(chores->host.arg);
	if (is_outage(e)) {
		/* Not its fault: it is due as soon as the database is back. */
		state->due_ms = now_ms;
		note_away(chores, ERR_DB_LOST, "");
		return;
	}
	if (e == OK)
		note_success(chore, state);
	else
		note_failure(chore, state, e);
	state->due_ms = now_ms + longer(chore->interval_ms, state->failures + (e != OK), most_ms);
}
