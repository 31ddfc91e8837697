/*
 * Whom a step reaches, and what it has with it: the connection of a connector, one credential, or nothing. Of this
 * room.
 */
#ifndef LW_FLOW_REACH_H
#define LW_FLOW_REACH_H

#include <stdbool.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/id.h"
#include "base/str.h"
#include "connect/call.h"
#include "connect/connected.h"
#include "connect/connection_values.h"
#include "connect/type.h"
#include "connect/values.h"
#include "core/ctx.h"
#include "flow/step.h"

struct reach {
	const struct connector_type *type; /* never NULL; its hosts are those that the secret may go to */
	const struct auth_way *way;        /* NULL: nothing authenticates a request */
	struct opt_id credential;
	struct str credential_type; /* absent with a connector */
	struct str service;         /* may be absent */
	struct connected connected; /* with a connector */
	struct values values;       /* of reach_open */
	/* Where no type of the catalogue says how: the way of such a credential, to the host that the step names. */
	struct connector_type own;
	struct auth_way own_way;
	struct pair own_header;
};

#define REACH_AUTO CLEANUP(reach_done)
void reach_init(struct reach *reach);
void reach_done(struct reach *reach);

/* The ids are public texts. Nothing has left the house. ERR_NOT_FOUND, ERR_NOT_CONNECTED, ERR_NEEDS_RECONNECT. */
enum err reach_connector(struct ctx *cx, struct str connector, struct reach *reach) MUST_CHECK;
enum err reach_credential(struct ctx *cx, struct str credential, struct reach *reach) MUST_CHECK;

/*
 * Puts the use of the credential on record, and reads its values, with a token that works where the way wants one. No
 * row, no values. Errors of step_note_use and connection_values.
 */
enum err reach_open(struct ctx *cx, const struct step_run *run, struct reach *reach) MUST_CHECK;

/* What must not be kept of an answer, in all its spellings (connect/blot.h). The call may be NULL. */
enum err reach_secrets(struct ctx *cx, const struct reach *reach, const struct call *call,
		       struct texts *ret_secrets) MUST_CHECK;

/* An error of the functions above, or of a place among the calls: what it means for the next try. Returns it. */
enum err reach_failed(struct ctx *cx, struct step_run *run, enum err e);
/* The step itself is wrong: trying again is no use. The words are static or the arena's. */
enum err step_wrong(struct ctx *cx, struct step_run *run, const char *words);
/* What is left of the step's time: at least 1 ms. */
int step_left_ms(const struct step_run *run);

#endif
