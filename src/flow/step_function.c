#include "flow/step.h"

step_function step_function_of(enum step_type type)
{
	switch (type) {
	case STEP_HTTP: return step_http;
	case STEP_EMAIL: return step_email;
	case STEP_DATABASE: return step_database;
	case STEP_INTEGRATION: return step_integration;
	case STEP_AI: return step_ai;
	case STEP_AGENT: return step_agent;
	default: return NULL;
	}
}
