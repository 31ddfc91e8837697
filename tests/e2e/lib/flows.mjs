// Workflows of one tenant: made, run, and waited for.
import assert from "node:assert/strict";
import https from "node:https";
import { eventually } from "./instance.mjs";

const OVER = ["completed", "failed", "cancelled"];

export const transform = (id, expression, more = {}) => ({ id, type: "transform", config: { expression }, ...more });
export const respond = (id, body, more = {}) => ({ id, type: "respond", config: body === undefined ? {} : { body }, ...more });

/** {b: ["a"], c: ["b"]}: one behind the other. */
export const chain = (steps) => Object.fromEntries(steps.slice(1).map(({ id }, i) => [id, [steps[i].id]]));

export class Flows {
  /** Each request has a connection of its own: those that are kept end when the instance is started again. */
  constructor(lw, token) {
    Object.assign(this, { lw, token, agent: new https.Agent({ keepAlive: false, ca: lw.ca }) });
  }

  async does(method, uri, body, status) {
    const answer = await this.lw.api(method, uri, { token: this.token, body, agent: this.agent });
    assert.equal(answer.status, status, `${method} ${uri}: ${answer.status} ${answer.text}`);
    return answer.json;
  }

  /** The id of a new workflow: steps one behind the other unless `more` has dependencies. */
  async make(steps, more = {}) {
    const definition = { steps, dependencies: chain(steps), ...more };
    return (await this.does("POST", "/api/v1/workflows", { name: "a test's", definition }, 201)).id;
  }

  /** The id of a new execution. */
  async start(workflow, input_data = null) {
    return (await this.does("POST", `/api/v1/workflows/${workflow}/execute`, { input_data }, 202)).execution_id;
  }

  get = (execution) => this.does("GET", `/api/v1/executions/${execution}`, undefined, 200);
  cancel = (execution) => this.does("POST", `/api/v1/executions/${execution}/cancel`, undefined, 200);
  events = (execution, query = "") => this.does("GET", `/api/v1/executions/${execution}/events${query}`, undefined, 200);

  /** All of them, page by page. */
  async allEvents(execution) {
    const all = [];
    for (let page; page?.length !== 0; all.push(...page))
      page = await this.events(execution, `?limit=200&after=${all.at(-1)?.id ?? 0}`);
    return all;
  }

  /** The new execution's id. */
  async retry(execution, from_step) {
    return (await this.does("POST", `/api/v1/executions/${execution}/retry`, from_step && { from_step }, 202)).execution_id;
  }

  /** While the instance is started again, connections end. */
  wait = (execution, words, condition, seconds) => eventually(`${execution} is ${words}`, async () => {
    const now = await this.get(execution).catch((error) => {
      if (!error.syscall && error.code !== "ECONNRESET")
        throw error;
      return {};
    });
    return condition(now) && now;
  }, seconds);

  over = (execution, seconds = 180) => this.wait(execution, "over", (now) => OVER.includes(now.status), seconds);
  is = (execution, status, seconds = 180) => this.wait(execution, status, (now) => now.status === status, seconds);

  /** Runs it to its end. */
  async run(workflow, input) {
    return this.over(await this.start(workflow, input));
  }

  /** Made of these steps, and run to its end. */
  async runs(steps, input, more) {
    return this.run(await this.make(steps, more), input);
  }
}

/** {step id: status} */
export const statuses = (execution) => Object.fromEntries(execution.step_executions.map((s) => [s.step_id, s.status]));
export const stepOf = (execution, id) => execution.step_executions.find((s) => s.step_id === id);
