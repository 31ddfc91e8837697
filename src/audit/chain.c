#include "audit/chain.h"

enum { NUMBER_BYTES = 8, FIELD_COUNT = 15 };

static struct str number(int64_t value, char bytes[NUMBER_BYTES])
{
	for (int i = 0; i < NUMBER_BYTES; i++)
		bytes[i] = (char)((uint64_t)value >> (56 - 8 * i));
	return (struct str){ bytes, NUMBER_BYTES };
}

static struct str opt_id_bytes(const struct opt_id *id) { return id->set ? ID_BYTES(&id->v) : STR_NONE; }

void chain_hash(const struct secret *key, int64_t position, const uint8_t previous[SHA256_BYTES],
		     const struct chain_row *row, uint8_t ret_hash[SHA256_BYTES])
{
	char position_bytes[NUMBER_BYTES], seq[NUMBER_BYTES], at[NUMBER_BYTES], length[FIELD_COUNT][NUMBER_BYTES];
	const struct str field[FIELD_COUNT] = {
		number(row->seq, seq),
		number(row->at, at),
		ID_BYTES(&row->audit_id),
		ID_BYTES(&row->tenant_id),
		row->actor_kind,
		opt_id_bytes(&row->actor_id),
		row->action,
		row->outcome,
		row->code,
		row->target_kind,
		opt_id_bytes(&row->target_id),
		row->service,
		row->address,
		opt_id_bytes(&row->request_id),
		row->details,
	};
	struct str part[2 + 2 * FIELD_COUNT];
	size_t n = 0;

	part[n++] = number(position, position_bytes);
	part[n++] = (struct str){ (const char *)previous, SHA256_BYTES };
	for (size_t i = 0; i < FIELD_COUNT; i++) {
		part[n++] = number(str_absent(field[i]) ? -1 : (int64_t)field[i].n, length[i]);
		part[n++] = str_absent(field[i]) ? STR("") : field[i];
	}
	hmac_sha256_of(key, (struct byte_parts){ part, n }, ret_hash);
}
