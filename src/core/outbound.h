/* What the configuration says about calls to the outside, for the egress guard. */
#ifndef LW_CORE_OUTBOUND_H
#define LW_CORE_OUTBOUND_H

#include "base/attr.h"
#include "base/err.h"
#include "core/config.h"
#include "net/egress.h"

/*
 * The policy of the section [egress]; it keeps nothing of the configuration. ERR_CONFIG with `ret_why`;
 * ERR_NO_MEMORY.
 */
enum err outbound_policy(const struct config *config, char ret_why[EGRESS_WHY_MAX],
			 struct egress_policy **ret_policy) MUST_CHECK;

#endif
