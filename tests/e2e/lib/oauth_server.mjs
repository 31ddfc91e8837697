// An OAuth server that knows nothing of us: npm's oidc-provider with its own pages for sign-in and consent, PKCE
// required, and refresh tokens that work once; a second use of one revokes all of its family.
import crypto from "node:crypto";
import https from "node:https";
import Provider from "oidc-provider";

const SIGNING_KEY = () => crypto.generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey.export({ format: "jwk" });

/** oidc-provider says on the console that its pages are for development: they are. */
async function quietly(work) {
  const { info, warn } = console;
  Object.assign(console, { info() {}, warn() {} });
  try {
    return await work();
  } finally {
    Object.assign(console, { info, warn });
  }
}

export class OAuthServer {
  /** Requests at the token endpoint: {grant_type, client, status}. */
  exchanges = [];
  /** Seconds that an access token works: of a consent's, and of every other. */
  firstTtl = 3600;
  ttl = 3600;
  clients = [];

  constructor(ca) {
    this.certificate = ca.issue();
  }

  /** `auth`: client_secret_basic, client_secret_post or none. */
  addClient(redirectUris, auth = "client_secret_basic") {
    const client = { client_id: `client-${crypto.randomBytes(4).toString("hex")}`, redirect_uris: redirectUris,
      token_endpoint_auth_method: auth,
      grant_types: ["authorization_code", "refresh_token", ...(auth === "none" ? [] : ["client_credentials"])], response_types: ["code"],
      ...(auth === "none" ? {} : { client_secret: `secret-of-client-${crypto.randomBytes(18).toString("base64url")}` }) };
    this.clients.push(client);
    return client;
  }

  /** After the last addClient. */
  async start(port = 0) {
    this.server = https.createServer({ key: this.certificate.key, cert: this.certificate.cert });
    await new Promise((done) => this.server.listen(port, "127.0.0.1", done));
    this.port = this.server.address().port;
    this.host = `localhost:${this.port}`;
    this.url = `https://${this.host}`;
    const answer = await quietly(() => this.#make().callback());
    this.server.on("request", (request, response) => {
      if (request.method === "POST" && request.url === "/token")
        response.on("finish", () => this.exchanges.push({ status: response.statusCode, ...request.grant }));
      answer(request, response);
    });
    return this;
  }

  #make() {
    const provider = new Provider(this.url, {
      clients: this.clients,
      jwks: { keys: [{ ...SIGNING_KEY(), use: "sig" }] },
      pkce: { required: () => true, methods: ["S256"] },
      scopes: ["openid", "offline_access", "orders:read"],
      claims: { openid: ["sub"], email: ["email"] },
      findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id, email: `${id}@provider.test` }) }),
      issueRefreshToken: () => true,
      rotateRefreshToken: true,
      features: { devInteractions: { enabled: true }, clientCredentials: { enabled: true }, revocation: { enabled: true } },
      ttl: { AccessToken: (ctx) => (ctx.oidc.params.grant_type === "authorization_code" ? this.firstTtl : this.ttl), AuthorizationCode: 60,
        RefreshToken: 86400, Grant: 86400, Session: 86400, Interaction: 600, IdToken: 3600, ClientCredentials: () => this.ttl },
      cookies: { keys: [crypto.randomBytes(16).toString("hex")] },
    });
    for (const event of ["grant.success", "grant.error"]) {
      provider.on(event, (ctx) => {
        ctx.req.grant = { grant_type: ctx.oidc.params?.grant_type, client: ctx.oidc.client?.clientId };
      });
    }
    this.provider = provider;
    return provider;
  }

  /** Whether an access token works there. */
  async isGood(token) {
    const found = await this.provider.AccessToken.find(token);
    return Boolean(found?.isValid);
  }

  async stop() {
    this.server.closeAllConnections();
    await new Promise((done) => this.server.close(done));
  }
}
