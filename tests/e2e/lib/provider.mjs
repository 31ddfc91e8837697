// A provider as bad as a test wants it: consent without a page, tokens that work once, and scripted faults.
//
//	const provider = await new Provider(ca).start();
//	provider.token = faults.hangs;       // what the token endpoint does instead of its work
//	provider.exchanges                   // what it was asked, and how that ended
//
// Refresh tokens rotate: each works once. A second use of one revokes its family, all access tokens with it, unless it
// comes within the family's `graceMs` after the first: then the answer is another successor of the same family.
import crypto from "node:crypto";
import http from "node:http";
import https from "node:https";

const random = (prefix) => `${prefix}-${crypto.randomBytes(24).toString("base64url")}`;

export class Provider {
  /** Requests at the token endpoint, in the order of their answers: {grant_type, client, error, body, headers}. */
  exchanges = [];
  /** Every request: {method, path, url, headers, body}. */
  calls = [];
  underWay = 0;
  mostUnderWay = 0;
  /** Of families that are made from now on. */
  graceMs = 0;
  rotates = true;
  /** Members of a good answer that replace the usual ones; undefined: left out. */
  answer = {};
  /** Seconds that an access token works, of a consent's answer and of a refresh's. */
  firstTtl = 3600;
  ttl = 3600;
  /** Who signs in at the consent page; what they grant of what was asked; more members of the callback's query. */
  account = "account-1";
  grant = (asked) => asked;
  callback = {};
  /** Handlers that do an endpoint's work instead: (request, response, work). By path without its slash. */
  scripts = {};
  /** What proves a caller at /check/<way>. */
  keys = { bearer: random("key"), header: random("key"), query: random("key"), user: "user-1", password: random("password") };
  families = [];
  #access = new Map();
  #refresh = new Map();
  #codes = new Map();

  constructor(ca, names) {
    this.certificate = ca.issue(names);
    this.client = { client_id: random("client"), client_secret: random("client-secret") };
  }

  async start() {
    const answer = (request, response) => this.#serve(request, response).catch(() => response.destroy());
    this.server = https.createServer({ key: this.certificate.key, cert: this.certificate.cert }, answer);
    this.clearServer = http.createServer(answer);
    for (const server of [this.server, this.clearServer]) {
      server.keepAliveTimeout = 1000;
      await new Promise((done) => server.listen(0, "127.0.0.1", done));
    }
    this.host = `localhost:${this.server.address().port}`;
    this.clearHost = `localhost:${this.clearServer.address().port}`;
    this.url = `https://${this.host}`;
    return this;
  }

  set token(script) {
    this.scripts.token = script;
  }

  /** Forgets what was asked, and does everything properly again. */
  reset() {
    Object.assign(this, { exchanges: [], calls: [], scripts: {}, answer: {}, graceMs: 0, rotates: true, ttl: 3600, firstTtl: 3600, callback: {},
      account: "account-1", grant: (asked) => asked, mostUnderWay: 0 });
  }

  /** Good exchanges of that grant. */
  count(grant = "refresh_token") {
    return this.exchanges.filter(({ grant_type, error }) => grant_type === grant && !error).length;
  }

  called(path) {
    return this.calls.filter((call) => call.path === path);
  }

  isGood(token) {
    const found = this.#access.get(token);
    return Boolean(found && !found.family.revoked && found.until > Date.now());
  }

  /** Tokens as a person's consent would have given them. */
  newFamily({ account = this.account, scope = "orders.read", ttl = this.firstTtl } = {}) {
    const family = { account, scope, graceMs: this.graceMs, revoked: false };
    this.families.push(family);
    return this.#give(family, ttl);
  }

  /** Every secret that it ever made. */
  secrets() {
    const { bearer, header, query, password } = this.keys;
    return [this.client.client_secret, bearer, header, query, password, ...this.#access.keys(), ...this.#refresh.keys(), ...this.#codes.keys()];
  }

  #give(family, ttl) {
    const access_token = random("access"), refresh_token = random("refresh");
    this.#access.set(access_token, { family, until: Date.now() + ttl * 1000 });
    this.#refresh.set(refresh_token, { family });
    return { access_token, refresh_token, token_type: "Bearer", expires_in: ttl, scope: family.scope };
  }

  // --- its endpoints ---------------------------------------------------------------------

  async #serve(request, response) {
    const url = new URL(request.url, "https://provider"), chunks = [];
    for await (const chunk of request)
      chunks.push(chunk);
    Object.assign(request, { target: url, text: Buffer.concat(chunks).toString("utf8") });
    this.calls.push({ method: request.method, path: url.pathname, url: request.url, headers: request.headers, rawHeaders: request.rawHeaders,
      body: request.text });
    const name = url.pathname.slice(1), work = () => this.#work(name.split("/")[0], request, response);
    this.mostUnderWay = Math.max(this.mostUnderWay, ++this.underWay);
    response.once("close", () => this.underWay--);
    await (this.scripts[name] ? this.scripts[name](request, response, work) : work());
  }

  #work(name, request, response) {
    const endpoint = { authorize: this.#authorize, token: this.#token, me: this.#me, check: this.#check, revoke: this.#revoke,
      rows: this.#rows }[name];
    if (!endpoint)
      return this.#json(response, 404, { error: "no_such_endpoint" });
    return endpoint.call(this, request, response);
  }

  #json(response, status, body, headers = {}) {
    response.writeHead(status, { "Content-Type": "application/json", ...headers }).end(JSON.stringify(body));
  }

  #authorize(request, response) {
    const { redirect_uri, state, scope, code_challenge } = Object.fromEntries(request.target.searchParams);
    const back = new URL(redirect_uri), code = random("code");
    this.#codes.set(code, { redirect_uri, code_challenge, account: this.account, scope: this.grant(scope ?? "") });
    for (const [member, value] of Object.entries({ state, code, ...this.callback }))
      if (value !== undefined)
        back.searchParams.set(member, value);
    response.writeHead(302, { Location: back.href }).end();
  }

  #token(request, response) {
    const isJson = (request.headers["content-type"] ?? "").includes("json");
    const body = isJson ? JSON.parse(request.text) : Object.fromEntries(new URLSearchParams(request.text));
    const [status, answer] = this.#exchange(request, body);
    this.exchanges.push({ grant_type: body.grant_type, client: body.client_id, error: answer.error, body, headers: request.headers });
    return this.#json(response, status, answer, { "Cache-Control": "no-store" });
  }

  #exchange(request, body) {
    const { client_id, client_secret } = this.#caller(request, body);
    if (body.grant_type === "urn:ietf:params:oauth:grant-type:jwt-bearer")
      return this.#byAssertion(body);
    if (client_id !== this.client.client_id || client_secret !== this.client.client_secret)
      return [401, { error: "invalid_client" }];
    const found = { authorization_code: this.#byCode, refresh_token: this.#byRefresh, client_credentials: this.#byClient }[body.grant_type];
    return found ? found.call(this, body) : [400, { error: "unsupported_grant_type" }];
  }

  #caller(request, body) {
    const basic = /^Basic (.+)$/.exec(request.headers.authorization ?? "");
    if (!basic)
      return body;
    const [client_id, client_secret] = Buffer.from(basic[1], "base64").toString("utf8").split(":").map(decodeURIComponent);
    return { client_id, client_secret };
  }

  #byCode(body) {
    const found = this.#codes.get(body.code);
    const challenge = crypto.createHash("sha256").update(body.code_verifier ?? "").digest("base64url");
    if (!found || found.used || found.redirect_uri !== body.redirect_uri || (found.code_challenge && found.code_challenge !== challenge))
      return [400, { error: "invalid_grant" }];
    found.used = true;
    return [200, { ...this.newFamily(found), ...this.answer }];
  }

  #byRefresh(body) {
    const found = this.#refresh.get(body.refresh_token);
    if (!found || found.family.revoked)
      return [400, { error: "invalid_grant", error_description: `${body.refresh_token} isn't valid` }];
    if (found.usedAt !== undefined && Date.now() - found.usedAt > found.family.graceMs) {
      found.family.revoked = true;
      return [400, { error: "invalid_grant" }];
    }
    if (this.rotates)
      found.usedAt ??= Date.now();
    const given = this.#give(found.family, this.ttl);
    return [200, { ...given, refresh_token: this.rotates ? given.refresh_token : undefined, ...this.answer }];
  }

  #byClient() {
    const { refresh_token, ...given } = this.newFamily({ account: "the client itself", ttl: this.ttl });
    this.#refresh.delete(refresh_token);
    return [200, { ...given, ...this.answer }];
  }

  /** RFC 7523: signed with the key of the account, whose public half is `assertionKey`. */
  #byAssertion(body) {
    const [head, payload, signature] = (body.assertion ?? "").split(".");
    const good = this.assertionKey && signature && crypto.verify("sha256", Buffer.from(`${head}.${payload}`), this.assertionKey,
      Buffer.from(signature, "base64url"));
    if (!good)
      return [400, { error: "invalid_grant" }];
    const claims = JSON.parse(Buffer.from(payload, "base64url")), now = Date.now() / 1000;
    if (claims.aud !== `${this.url}/token` || !(claims.exp > now - 5) || claims.exp - claims.iat > 3600)
      return [400, { error: "invalid_grant", error_description: "claims" }];
    const { refresh_token, ...given } = this.newFamily({ account: claims.iss, ttl: this.ttl });
    this.#refresh.delete(refresh_token);
    return [200, { ...given, ...this.answer }];
  }

  #bearer(request) {
    return /^Bearer (.+)$/.exec(request.headers.authorization ?? "")?.[1];
  }

  #me(request, response) {
    const token = this.#bearer(request);
    if (!this.isGood(token))
      return this.#json(response, 401, { error: "invalid_token", you_sent: token });
    const { account } = this.#access.get(token).family;
    return this.#json(response, 200, { id: account, name: `Name of ${account}` });
  }

  #check(request, response) {
    const way = request.target.pathname.split("/")[2], { user, password } = this.keys;
    const sent = {
      bearer: this.#bearer(request), header: request.headers["x-api-key"], query: request.target.searchParams.get("api_key"),
      basic: request.headers.authorization,
    }[way];
    const wanted = way === "basic" ? `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}` : this.keys[way];
    if (wanted === undefined || sent !== wanted)
      return this.#json(response, 401, { error: "invalid_key", you_sent: sent });
    return this.#json(response, 200, { id: `checked-${way}`, name: `Checked by ${way}` });
  }

  #rows(request, response) {
    if (!this.isGood(this.#bearer(request)) && this.#bearer(request) !== this.keys.bearer)
      return this.#json(response, 401, { error: "invalid_token" });
    return this.#json(response, 200, { rows: Array.from({ length: 30 }, (_, i) => ({ number: i })) });
  }

  #revoke(request, response) {
    const token = new URLSearchParams(request.text).get("token"), found = this.#access.get(token) ?? this.#refresh.get(token);
    if (found)
      found.family.revoked = true;
    response.writeHead(200).end();
  }

  async stop() {
    for (const server of [this.server, this.clearServer]) {
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
    }
  }
}
