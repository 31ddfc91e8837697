// Lists of rows at the scriptable provider (provider.mjs), in the shapes of real ones.
//
//	const shelf = new Shelf(rows(250));
//	provider.scripts["v1/customers"] = shelf.stripe();
//	shelf.asked                          // the query of each request
import fs from "node:fs";
import path from "node:path";
import { root } from "./instance.mjs";

const json = (response, body, headers = {}, status = 200) => response.writeHead(status, { "Content-Type": "application/json", ...headers }).end(JSON.stringify(body));

/** Rows as a provider has them, with every kind of value. */
export const rows = (count, prefix = "row") => Array.from({ length: count }, (_, i) =>
  ({ id: `${prefix}_${String(i).padStart(6, "0")}`, name: `Name ${i} é"\\`, amount: i, ratio: 0.5, live: i % 2 === 0, none: null, deep: { list: [i, { a: 1 }] } }));

export class Shelf {
  asked = [];
  /** (query, response) -> true: it has answered instead. */
  before = () => false;

  constructor(list = []) {
    this.rows = list;
  }

  #handler(answer) {
    return async (request, response) => {
      const query = Object.fromEntries(request.target.searchParams);
      this.asked.push(query);
      if (!await this.before(query, response, request))
        answer(query, response, request);
    };
  }

  #behind(id) {
    return id === undefined ? 0 : this.rows.findIndex((row) => row.id === id) + 1;
  }

  /** Cursor: the last row's id; has_more. */
  stripe() {
    return this.#handler(({ limit = 10, starting_after }, response) => {
      const from = this.#behind(starting_after), to = from + Number(limit);
      json(response, { object: "list", data: this.rows.slice(from, to), has_more: to < this.rows.length });
    });
  }

  /** Cursor: in the answer. */
  hubspot() {
    return this.#handler(({ limit = 10, after = 0 }, response) => {
      const to = Number(after) + Number(limit), results = this.rows.slice(Number(after), to);
      json(response, { results, ...(to < this.rows.length && { paging: { next: { after: String(to), link: "https://elsewhere.example/" } } }) });
    });
  }

  /** The Link header, with every parameter of the request in it. */
  linked(size) {
    return this.#handler(({ from = 0 }, response, request) => {
      const to = Number(from) + size, next = new URL(request.url, `https://${request.headers.host}`);
      next.searchParams.set("from", to);
      json(response, this.rows.slice(Number(from), to), to < this.rows.length ? { Link: `<https://docs.example/>; rel="help", <${next}>; rel="next"` } : {});
    });
  }

  /** Numbered pages, until one is empty. */
  numbered(size) {
    return this.#handler(({ page }, response) => json(response, { result: { items: this.rows.slice((page - 1) * size, page * size) } }));
  }
}

/** A supplied type as it is, at another place. */
export const suppliedType = (id, provider, host) =>
  JSON.parse(fs.readFileSync(path.join(root, `conf/connectors/${id}.json`), "utf8").replaceAll(`https://${host}`, provider.url).replaceAll(`"${host}"`, `"${provider.host}"`));
