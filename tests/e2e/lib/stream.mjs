// The stream of a live run, as an EventSource reads it.
import https from "node:https";

/** {events, ids, status, ended, close()}: `ids` are the stream's own, the last of them is what Last-Event-ID takes back. */
export async function openStream(lw, run, { lastId, ticket = run.ticket } = {}) {
  const stream = { events: [], ids: [] }, headers = { Accept: "text/event-stream", ...(lastId && { "Last-Event-ID": lastId }) };
  const take = (block) => {
    const fields = Object.fromEntries(block.split("\n").map((line) => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 2)]));
    if (fields.data) {
      stream.events.push(JSON.parse(fields.data));
      stream.ids.push(fields.id);
    }
  };
  await new Promise((opened, failed) => {
    const asked = https.get(`${run.stream_url}?ticket=${ticket}`, { ca: lw.ca, agent: false, headers }, (answer) => {
      let text = "";
      stream.status = answer.statusCode;
      stream.ended = new Promise((done) => answer.on("close", done));
      answer.setEncoding("utf8").on("error", () => {}).on("data", (part) => {
        const blocks = (text += part).split("\n\n");
        text = blocks.pop();
        blocks.forEach(take);
      });
      opened();
    });
    asked.on("error", failed);
    stream.close = () => asked.destroy();
  });
  return stream;
}
