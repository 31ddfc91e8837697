/* A connector as answers show it: what it connects with stays where it is. */
#ifndef LW_CONNECT_CONNECTOR_ANSWER_H
#define LW_CONNECT_CONNECTOR_ANSWER_H

#include "base/json_write.h"
#include "connect/connector.h"

void connector_write_json(struct ctx *cx, struct json_writer *w, const struct connector *connector);
/* The member `account` {id, label}: whose account it is at the provider; null while nobody knows. */
void connector_write_account(struct json_writer *w, struct str id, struct str label);

#endif
