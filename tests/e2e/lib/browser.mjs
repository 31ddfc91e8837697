// A headless Chromium, and in it people: each with cookies of their own.
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import puppeteer from "puppeteer-core";
import { keyHash } from "./certificates.mjs";

const PATIENCE = 180000;

/** `certificates`: PEM texts of the servers that it trusts. Nothing else is found by it than this machine. */
export async function startBrowser({ certificates }) {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), "lw-browser-"));
  const browser = await puppeteer.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", userDataDir: directory, timeout: PATIENCE, protocolTimeout: PATIENCE,
    env: { ...process.env, DBUS_SESSION_BUS_ADDRESS: "disabled:", DBUS_SYSTEM_BUS_ADDRESS: "disabled:" },
    args: [...(process.getuid() === 0 ? ["--no-sandbox"] : []), "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
      "--disable-background-networking", "--disable-component-update", "--disable-sync",
      `--ignore-certificate-errors-spki-list=${certificates.map(keyHash).join(",")}`,
      "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1"],
  });
  return {
    newPerson: async () => new Person(await browser.createBrowserContext()).open(),
    async stop() {
      await browser.close();
      fs.rmSync(directory, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

export class Person {
  /** Every address that the browser went to, redirects too: {url, status, headers}. */
  visited = [];
  dialogs = [];

  constructor(context) {
    this.context = context;
  }

  async open() {
    this.page = await this.context.newPage();
    this.page.setDefaultTimeout(PATIENCE);
    this.page.on("response", (response) => {
      if (response.request().isNavigationRequest())
        this.visited.push({ url: response.url(), status: response.status(), headers: response.headers() });
    });
    this.page.on("dialog", (dialog) => {
      this.dialogs.push(dialog.message());
      dialog.dismiss();
    });
    return this;
  }

  /** Signs in to the API for a session of cookies. */
  async signIn(url, { email, password, tenant_id }) {
    await this.page.setBypassCSP(true); // the page that runs this is one of ours, and lets nothing run
    await this.page.goto(`${url}/healthz`);
    const status = await this.page.evaluate(async (body) => (await fetch("/api/v1/auth/login",
      { method: "POST", headers: { "Content-Type": "application/json" }, body })).status,
        JSON.stringify({ email, password, tenant_id, session: "cookie" }));
    await this.page.setBypassCSP(false);
    if (status !== 200)
      throw new Error(`signing in: ${status}`);
  }

  /** Goes to an address; {url, status, headers, text, html} of where that ended. */
  async go(url) {
    return this.seen(await this.page.goto(url));
  }

  async click(selector) {
    const [response] = await Promise.all([this.page.waitForNavigation(), this.page.click(selector)]);
    return this.seen(response);
  }

  async type(selector, text) {
    await this.page.type(selector, text);
  }

  async seen(response) {
    return {
      url: this.page.url(), status: response?.status(), headers: response?.headers() ?? {},
      text: await this.page.evaluate(() => document.body.innerText), html: await this.page.content(),
    };
  }

  cookies(...urls) {
    return this.page.cookies(...urls);
  }

  async leave() {
    await this.context.close();
  }
}
