/* From steps and edges to an order in which each step comes behind those that it needs. */
#include "base/buf.h"
#include "flow/draft.h"

enum { CYCLE_TOLD_MAX = 300 };

struct order {
	size_t n;
	uint16_t of[FLOW_STEPS_MAX];    /* by place in the order: the number in the text */
	uint16_t place[FLOW_STEPS_MAX]; /* the other way round */
	bool placed[FLOW_STEPS_MAX];
	uint16_t waits[FLOW_STEPS_MAX]; /* by number in the text: edges from steps that aren't placed */
};

/* Two edges between the same steps are one dependency. */
static bool repeats(const struct draft *draft, size_t edge)
{
	const struct draft_edge *e = &draft->edge[edge];

	for (size_t i = 0; i < edge; i++)
		if (draft->edge[i].from == e->from && draft->edge[i].to == e->to)
			return true;
	return false;
}

static void drop_repeated(struct draft *draft)
{
	size_t kept = 0;

	for (size_t i = 0; i < draft->edges; i++)
		if (!repeats(draft, i))
			draft->edge[kept++] = draft->edge[i];
	draft->edges = kept;
}

static void count_waits(const struct draft *draft, struct order *order)
{
	for (size_t i = 0; i < draft->edges; i++)
		order->waits[draft->edge[i].to]++;
}

static void place(const struct draft *draft, struct order *order, size_t step)
{
	order->placed[step] = true;
	order->place[step] = (uint16_t)order->n;
	order->of[order->n++] = (uint16_t)step;
	for (size_t i = 0; i < draft->edges; i++)
		if (draft->edge[i].from == step)
			order->waits[draft->edge[i].to]--;
}

/* Always the first in the text of those that are ready: so the same text gives the same order. */
static void place_steps(const struct draft *draft, struct order *order)
{
	size_t i = 0;

	count_waits(draft, order);
	while (i < draft->n) {
		if (order->placed[i] || order->waits[i] > 0) {
			i++;
			continue;
		}
		place(draft, order, i);
		i = 0;
	}
}

/* A step before this one that wasn't placed either: there is one, else this would have been placed. */
static size_t unplaced_before(const struct draft *draft, const struct order *order, size_t step)
{
	for (size_t i = 0; i < draft->edges; i++)
		if (draft->edge[i].to == step && !order->placed[draft->edge[i].from])
			return draft->edge[i].from;
	return step;
}

/* Of a cycle, the step that the text names first. */
static size_t cycle_start(const struct draft *draft, const struct order *order)
{
	size_t step = 0, first;

	while (order->placed[step])
		step++;
	for (size_t i = 0; i < draft->n; i++)
		step = unplaced_before(draft, order, step);
	first = step;
	for (size_t i = 0; i < draft->n; i++) {
		step = unplaced_before(draft, order, step);
		first = step < first ? step : first;
	}
	return first;
}

static void tell_cycle(struct draft *draft, const struct order *order)
{
	BUF_AUTO struct buf words = { 0 };
	size_t start = cycle_start(draft, order), step = start;

	buf_init(&words, CYCLE_TOLD_MAX);
	buf_add_str(&words, draft->step[start].id);
	do {
		step = unplaced_before(draft, order, step);
		buf_add_c(&words, " needs ");
		buf_add_str(&words, draft->step[step].id);
	} while (step != start && buf_error(&words) == OK);
	draft_fault(draft, "CYCLE", "the steps wait for each other: %.*s", STR_ARG(buf_str(&words)));
}

/* The numbers of a step's neighbours, in the order. */
static const uint16_t *neighbours(struct draft *draft, const struct order *order, size_t step, bool before,
				  size_t *ret_n)
{
	uint16_t *list;
	size_t n = 0;

	for (size_t i = 0; i < draft->edges; i++)
		n += (before ? draft->edge[i].to : draft->edge[i].from) == step;
	list = arena_array(draft->arena, n + 1, sizeof *list);
	*ret_n = list ? n : 0;
	if (!list) {
		draft->error = ERR_NO_MEMORY;
		return NULL;
	}
	n = 0;
	for (size_t i = 0; i < draft->edges; i++)
		if ((before ? draft->edge[i].to : draft->edge[i].from) == step)
			list[n++] = order->place[before ? draft->edge[i].from : draft->edge[i].to];
	return list;
}

void graph_order(struct draft *draft, struct flow *flow)
{
	struct order *order = ARENA_NEW(draft->arena, struct order);
	struct flow_step *sorted = arena_array(draft->arena, draft->n + 1, sizeof *sorted);

	if (!order || !sorted) {
		draft->error = ERR_NO_MEMORY;
		return;
	}
	drop_repeated(draft);
	place_steps(draft, order);
	if (order->n < draft->n) {
		tell_cycle(draft, order);
		return;
	}
	for (size_t i = 0; i < draft->n; i++) {
		size_t step = order->of[i];

		sorted[i] = draft->step[step];
		sorted[i].needs = neighbours(draft, order, step, true, &sorted[i].needs_n);
		sorted[i].next = neighbours(draft, order, step, false, &sorted[i].next_n);
	}
	flow->n = draft->n;
	flow->step = sorted;
}
