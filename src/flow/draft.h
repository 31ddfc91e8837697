/* A definition while it is read: where the reader is, what it has found, and what is wrong with it. Of this room. */
#ifndef LW_FLOW_DRAFT_H
#define LW_FLOW_DRAFT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/id.h"
#include "base/json_read.h"
#include "flow/definition.h"

enum {
	FLOW_EDGES_MAX = 2000,
	FLOW_TRIGGERS_MAX = 20,
	FLOW_EVENT_TYPES_MAX = 50,
	DRAFT_PLACE_MAX = 256,
	DRAFT_EXPRESSIONS_MAX = 5000,
	DRAFT_IDS_MAX = 2000
};

struct draft_expression {
	struct str place, code;
};

/* An object of the tenant's that the definition names. */
struct draft_id {
	struct str place;
	enum id_kind kind;
	struct id id;
};

/* What the check looks at once the reading is over; their numbers are bounded by the definition's size. */
struct draft_notes {
	size_t expressions;
	struct draft_expression expression[DRAFT_EXPRESSIONS_MAX];
	size_t ids;
	struct draft_id id[DRAFT_IDS_MAX];
};

/* `to` comes behind `from`, by their numbers in the text. */
struct draft_edge {
	uint16_t from, to;
	struct str when; /* of the canvas form: jq that has to be true for it to count; absent: none */
};

struct draft {
	struct ctx *cx;            /* whose problem hears what is wrong */
	struct arena *arena;       /* the result's */
	struct draft_notes *notes; /* NULL: nobody asks */
	size_t faults;
	enum err error; /* of ours: memory */
	struct str unchosen;
	char place[DRAFT_PLACE_MAX];
	size_t n_place;
	size_t n;
	struct flow_step *step; /* in the order of the text */
	size_t edges;
	struct draft_edge *edge;
};

/* Goes to a member or an item of the place; returns what draft_leave takes to go back. */
size_t draft_enter(struct draft *draft, const char *member);
size_t draft_enter_str(struct draft *draft, struct str member);
size_t draft_enter_item(struct draft *draft, size_t index);
void draft_leave(struct draft *draft, size_t before);

/* One thing that is wrong at the place; the words never hold a value. */
void draft_fault(struct draft *draft, const char *code, const char *format, ...) PRINTF_LIKE(3, 4);
void draft_fault_at(struct draft *draft, const char *member, const char *code, const char *words);

/* A fault unless it is of that kind. NULL is none. */
bool draft_expect(struct draft *draft, const json_t *value, json_type kind);
/* A fault for each member that isn't one of those, which are separated by |. */
void draft_members(struct draft *draft, const json_t *object, const char *names);
/* The text, not longer than that many bytes; a fault, and the absent text, for anything else but NULL. */
struct str draft_text(struct draft *draft, const json_t *value, size_t most);
/* The number within its bounds; a fault, and the fallback, for anything else but NULL. */
int64_t draft_number(struct draft *draft, const json_t *value, int64_t least, int64_t most, int64_t fallback);
void draft_flag(struct draft *draft, const json_t *value);
/* A fault for what isn't an id of that kind; whether it is the tenant's is looked at later. */
void draft_id_read(struct draft *draft, enum id_kind kind, const json_t *value);
/* One expression at the place: a fault when its brackets tell that it is none. */
void draft_expression(struct draft *draft, struct str code);
/* Whether it is one of the words, which are separated by |. */
bool draft_is_word(struct str text, const char *words);

/* --- the parts of a definition ------------------------------------------------------------------ */

/* The index of the step with that id; draft->n for none. */
size_t draft_find(const struct draft *draft, struct str id);
/* The members of one step but its id and type; `at` is the object that holds them. */
void step_read(struct draft *draft, const json_t *at, struct flow_step *step);
/* A type's name; a fault when there is none of that name. */
bool step_read_type(struct draft *draft, const json_t *value, enum step_type *ret_type);
/* An id; a fault for one that isn't spelled like one, or is there twice. */
void step_read_id(struct draft *draft, const json_t *value, struct flow_step *step);
/* Its config, by the table of members, and the body of a for_each. */
void config_read(struct draft *draft, struct flow_step *step);
/* {"steps", "dependencies", "conditions"} */
void steps_read(struct draft *draft, const json_t *definition);
/* {"nodes", "edges"} */
void canvas_read(struct draft *draft, const json_t *definition);
/* "triggers", of either form. */
void triggers_read(struct draft *draft, const json_t *triggers);
/* The steps in an order in which each comes behind those that it needs; a fault for a cycle. */
void graph_order(struct draft *draft, struct flow *flow);

/* Reads either form. ERR_BAD_INPUT: the context's problem says why. */
enum err draft_read(struct ctx *cx, struct arena *arena, const json_t *definition, struct draft_notes *notes,
		    const struct flow **ret_flow) MUST_CHECK;

/* A form's list of steps, each by `read`, which fills in the one behind the last; `word`: what the form calls one. */
void draft_read_steps(struct draft *draft, const json_t *list, const char *word,
		      void (*read)(struct draft *draft, const json_t *one));

#endif
