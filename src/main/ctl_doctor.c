/* latchctl doctor: how findings are told, and in which order things are looked at. */
#include <stdarg.h>
#include <stdio.h>

#include "base/json_write.h"
#include "main/doctor.h"
#include "store/db.h"

enum { WORDS_MAX = 1024, CLOCK_MS = 10000 };

/* --- telling ------------------------------------------------------------------- */

static void tell_json(struct doctor *doctor, const char *state, const char *about,
		      const char *words, const char *todo)
{
	BUF_AUTO struct buf line = { 0 };
	struct json_writer w;

	buf_init(&line, 1 << 16);
	jw_start(&w, &line);
	jw_object(&w);
	jw_put_text(&w, "state", str_of(state));
	jw_put_text(&w, "about", str_of(about));
	jw_put_text(&w, "words", str_of(words));
	jw_put_text(&w, "todo", str_of(todo));
	jw_object_end(&w);
	printf("%s%.*s", doctor->found > 0 ? ",\n " : "[", STR_ARG(buf_str(&line)));
}

static void tell(struct doctor *doctor, const char *state, const char *about, const char *todo,
		 const char *format, va_list args)
{
	char words[WORDS_MAX];

	vsnprintf(words, sizeof words, format, args);
	if (ctl_option(doctor->ctl, "json"))
		tell_json(doctor, state, about, words, todo);
	else
		printf("%-8s %-10s %s%s%s\n", state, about, words, todo ? " " : "",
		       todo ? todo : "");
	doctor->found++;
}

void doctor_ok(struct doctor *doctor, const char *about, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	tell(doctor, "ok", about, NULL, format, args);
	va_end(args);
}

void doctor_fault(struct doctor *doctor, const char *about, const char *todo, const char *format,
		  ...)
{
	va_list args;

	va_start(args, format);
	tell(doctor, "FAULT", about, todo, format, args);
	va_end(args);
	doctor->faults++;
}

void doctor_warn(struct doctor *doctor, const char *about, const char *todo, const char *format,
		 ...)
{
	va_list args;

	va_start(args, format);
	tell(doctor, "warning", about, todo, format, args);
	va_end(args);
	doctor->warnings++;
}

void doctor_say(struct doctor *doctor, const char *about, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	tell(doctor, "note", about, NULL, format, args);
	va_end(args);
}

void doctor_compare_clock(struct doctor *doctor, const char *whose, int64_t their_ms)
{
	const int64_t ahead_ms = their_ms - clock_now_ms();

	if (ahead_ms > CLOCK_MS || ahead_ms < -CLOCK_MS)
		doctor_fault(doctor, "clock",
			     "Let both follow a time server (systemctl status systemd-timesyncd).",
			     "The clock of %s is %lld seconds %s this machine's.", whose,
			     (long long)((ahead_ms < 0 ? -ahead_ms : ahead_ms) / 1000),
			     ahead_ms < 0 ? "behind" : "ahead of");
	else
		doctor_ok(doctor, "clock", "The clock of %s agrees with this machine's.", whose);
}

/* --- the verb -------------------------------------------------------------------- */

static void open_catalog(struct doctor *doctor)
{
	char why[CATALOG_WHY_MAX];

	if (catalog_load(doctor->ctl->config, why, &doctor->catalog) == OK)
		doctor_ok(doctor, "catalogue", "%zu connector types are readable.",
			  catalog_count(doctor->catalog));
	else
		doctor_fault(doctor, "catalogue", "See latchctl connector lint.", "%s.", why);
}

enum err ctl_doctor(struct ctl *ctl)
{
	struct doctor doctor = { .ctl = ctl };

	ctl->cx.config = ctl->config;
	ctl->cx.arena = arena_new(16 << 20);
	if (!ctl->cx.arena)
		return ctl_say(ERR_NO_MEMORY, "starting");
	open_catalog(&doctor);
	doctor_look_at_machine(&doctor);
	doctor_look_beside(&doctor);
	doctor_look_at_database(&doctor);
	doctor_look_at_keys(&doctor);
	doctor_look_from_outside(&doctor);
	doctor_look_at_clients(&doctor);
	if (ctl_option(ctl, "json"))
		puts("]");
	catalog_free(doctor.catalog);
	if (doctor.faults > 0)
		return ctl_fail(ERR_NOT_READY, "%zu of %zu things are wrong", doctor.faults,
				doctor.found);
	return OK;
}
