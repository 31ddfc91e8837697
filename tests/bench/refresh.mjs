// Tokens that are renewed one after the other's end: each call is one exchange at a provider on this machine.
import http from "node:http";

const AT_ONCE = 3; // what limits.calls_per_tenant lets through

/** A token endpoint that answers at once. */
export async function startProvider() {
  let exchanges = 0;
  const server = http.createServer((request, response) => {
    request.resume().on("end", () => {
      exchanges++;
      response.writeHead(200, { "Content-Type": "application/json" });
      response.end(JSON.stringify({ access_token: `access-${exchanges}-0123456789`, refresh_token: `refresh-${exchanges}-0123456789`,
        token_type: "Bearer", expires_in: 3600 }));
    });
  });
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  const { port } = server.address();
  return { host: `127.0.0.1:${port}`, exchanges: () => exchanges, stop: () => new Promise((done) => server.close(done)) };
}

const expired = (provider, i) => ({ name: `expired ${i}`, type: "oauth2", data: { client_id: "bench", client_secret: "bench-secret-0123456789",
  access_token: "expired-0123456789", refresh_token: `first-${i}-0123456789`, token_url: `http://${provider.host}/token`,
  expires_at: "2020-01-01T00:00:00Z" } });

/** `count` tokens, each renewed by the call that asks for it: {count, perMinute}. */
export async function refreshes(stack, provider, count) {
  const { token } = stack, ids = [];
  stack.worker("stop"); // it would renew some of them first
  for (let i = 0; i < count; i++)
    ids.push((await stack.api("POST", "/api/v1/credentials", { token, body: expired(provider, i) })).id);
  const before = provider.exchanges(), began = process.hrtime.bigint();
  const worker = async () => {
    for (let id = ids.pop(); id; id = ids.pop())
      await stack.api("POST", `/api/v1/credentials/${id}/token`, { token });
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  const minutes = Number(process.hrtime.bigint() - began) / 60e9;
  if (provider.exchanges() - before !== count)
    throw new Error(`${provider.exchanges() - before} exchanges for ${count} tokens`);
  stack.worker("start");
  return { count, perMinute: count / minutes };
}
