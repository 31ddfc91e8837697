/* "triggers" of a definition: who may start it, besides what is made through the API. */
#include "flow/draft.h"

enum { PROVIDER_MOST = 64, EVENT_TYPE_MOST = 128, EVENT_TYPES_MOST = 2000 };

/* The length of their list as JSON. */
static size_t length_of(const json_t *types)
{
	size_t n = 2;

	for (size_t i = 0; i < json_length(types); i++) {
		struct str type = json_text(json_item(types, i));

		n += type.n + 3;
		for (size_t k = 0; k < type.n; k++)
			n += type.p[k] == '"' || type.p[k] == '\\';
	}
	return n;
}

static void read_event_types(struct draft *draft, const json_t *types)
{
	if (!draft_expect(draft, types, JSON_ARRAY))
		return;
	if (json_length(types) == 0)
		draft_fault(draft, "TOO_FEW", "must name at least one; all of them without this member");
	if (json_length(types) > FLOW_EVENT_TYPES_MAX)
		draft_fault(draft, "TOO_MANY", "must name at most %d", FLOW_EVENT_TYPES_MAX);
	if (length_of(types) > EVENT_TYPES_MOST)
		draft_fault(draft, "TOO_LONG", "must have at most %d bytes in all", EVENT_TYPES_MOST);
	for (size_t i = 0; i < json_length(types); i++) {
		size_t before = draft_enter_item(draft, i);
		struct str type = draft_text(draft, json_item(types, i), EVENT_TYPE_MOST);

		if (!str_absent(type) && (type.n == 0 || str_has_control(type)))
			draft_fault(draft, "BAD_FORMAT", "must be the type of an event");
		draft_leave(draft, before);
	}
}

static void read_provider(struct draft *draft, const json_t *provider)
{
	struct str text = draft_text(draft, provider, PROVIDER_MOST);

	if (!str_absent(text) && (text.n == 0 || str_has_control(text)))
		draft_fault(draft, "BAD_FORMAT", "must be a connector type's id");
}

static void read_event(struct draft *draft, const json_t *trigger)
{
	size_t before;

	draft_members(draft, trigger, "type|connector_id|provider|event_types");
	before = draft_enter(draft, "connector_id");
	if (!json_is_kind(json_member(trigger, "connector_id"), JSON_NULL))
		draft_id_read(draft, ID_CONNECTOR, json_member(trigger, "connector_id"));
	draft_leave(draft, before);
	before = draft_enter(draft, "provider");
	read_provider(draft, json_member(trigger, "provider"));
	draft_leave(draft, before);
	before = draft_enter(draft, "event_types");
	read_event_types(draft, json_member(trigger, "event_types"));
	draft_leave(draft, before);
}

static void read_trigger(struct draft *draft, const json_t *trigger)
{
	struct str type = json_member_text(trigger, "type");

	if (!json_is_kind(trigger, JSON_OBJECT))
		draft_fault(draft, "WRONG_TYPE", "must be an object");
	else if (str_eq(type, STR("event")))
		read_event(draft, trigger);
	else if (str_eq(type, STR("manual")))
		draft_members(draft, trigger, "type");
	else if (str_eq(type, STR("webhook")))
		draft_fault_at(draft, "type", "NOT_ALLOWED",
			       "an address is made by POST /api/v1/webhooks/{workflow_id}/triggers");
	else if (str_eq(type, STR("schedule")))
		draft_fault_at(draft, "type", "NOT_ALLOWED",
			       "a schedule is made by POST /api/v1/workflows/{workflow_id}/schedules");
	else
		draft_fault_at(draft, "type", "NOT_ALLOWED", "must be manual or event");
}

void triggers_read(struct draft *draft, const json_t *triggers)
{
	size_t before = draft_enter(draft, "triggers");

	if (draft_expect(draft, triggers, JSON_ARRAY)) {
		if (json_length(triggers) > FLOW_TRIGGERS_MAX)
			draft_fault(draft, "TOO_MANY", "must have at most %d triggers", FLOW_TRIGGERS_MAX);
		for (size_t i = 0; i < json_length(triggers); i++) {
			size_t item = draft_enter_item(draft, i);

			read_trigger(draft, json_item(triggers, i));
			draft_leave(draft, item);
		}
	}
	draft_leave(draft, before);
}
