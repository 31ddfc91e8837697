// Workflows in a few words, for tests.
import { eventually } from "./instance.mjs";

/** Two pure steps: a greeting, and the answer. */
export const GREETING = {
  steps: [
    { id: "greet", type: "transform", config: { expression: '{greeting: "Hello, \\(.input.name)"}' } },
    { id: "answer", type: "respond", config: { body: "{{ .steps.greet }}" } },
  ],
  dependencies: { answer: ["greet"] },
};

/** Saves a workflow; its JSON. */
export async function saveWorkflow(lw, token, definition, name = "test") {
  const answer = await lw.api("POST", "/api/v1/workflows", { token, body: { name, definition } });
  if (answer.status !== 201)
    throw new Error(`saving a workflow: ${answer.status} ${answer.text}`);
  return answer.json;
}

export const executionOf = async (lw, token, id) => (await lw.api("GET", `/api/v1/executions/${id}`, { token })).json;

/** The execution, once it's over. */
export const finished = (lw, token, id, seconds = 180) => eventually(`${id} is over`, async () => {
  const execution = await executionOf(lw, token, id);
  return ["completed", "failed", "cancelled"].includes(execution.status) && execution;
}, seconds);

/** Runs it with that input; the execution when it is over. */
export async function execute(lw, token, workflow, input_data = {}) {
  const answer = await lw.api("POST", `/api/v1/workflows/${workflow.id}/execute`, { token, body: { input_data } });
  if (answer.status !== 202)
    throw new Error(`running a workflow: ${answer.status} ${answer.text}`);
  return finished(lw, token, answer.json.execution_id);
}
