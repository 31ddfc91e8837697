#include "core/outbound.h"

enum err outbound_policy(const struct config *config, char ret_why[EGRESS_WHY_MAX],
			 struct egress_policy **ret_policy)
{
	return egress_policy_new(
		&(struct egress_settings){
			.allow_hosts = config->egress_allow_hosts,
			.ports = config->egress_ports,
			.own_addresses = config->egress_own_addresses,
			.ca_file = config->egress_ca_file,
			.timeout_ms = (int)config->egress_timeout_ms,
			.connect_timeout_ms = (int)config->egress_connect_timeout_ms,
		},
		ret_why, ret_policy);
}
