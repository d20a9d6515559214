// `make mail`, against a stand-in for the local explorer of wrangler, and the settings of mail that `make dev` adds.
import assert from "node:assert/strict";
import { symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { test } from "node:test";

import { stateFolder } from "../e2e/support/start.mjs";
import { assertDone, assertGaveUp, environment, make, ROOT, run } from "./support/make.mjs";

const EXPLORER = "/cdn-cgi/local/explorer/api/local/email/sending";

/** The explorer of a service that sent these mails, the newest first: the port. */
async function explorer(t, mails) {
  const server = createServer((request, response) => {
    const { pathname, searchParams } = new URL(request.url, "http://local");
    const id = searchParams.get("email_id");
    const list = mails.slice(0, Number(searchParams.get("per_page"))).map(({ text, ...summary }) => summary);
    const result = id === null ? list : mails.find(({ messageId }) => messageId === id);
    response.statusCode = pathname === EXPLORER ? 200 : 404;
    response.end(JSON.stringify({ success: true, errors: [], messages: [], result }));
  });
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  t.after(() => server.close());
  return server.address().port;
}

const mail = (number) => ({
  messageId: `<${number}+x@example.com>`,
  to: [`person-${number}@example.com`],
  subject: `Subject ${number}`,
  sentAt: `2026-11-29T08:00:0${number}.000Z`,
  text: `Choose it here:\n\nhttp://127.0.0.1/reset#token=${number}\n\n0123456${number}\n`,
});

test("the newest five mails are shown with their texts, the newest last", async (t) => {
  const PORT = await explorer(t, [7, 6, 5, 4, 3, 2, 1].map(mail));
  const lines = assertDone(await make("mail", { PORT }));
  const subjects = lines.filter((line) => line.startsWith("▸"));
  assert.deepEqual(subjects, [3, 4, 5, 6, 7].map((number) => `▸ Subject ${number}`));
  const last = lines.slice(lines.indexOf("▸ Subject 7") + 1).filter((line) => line !== "");
  const expected = ["Choose it here:", "http://127.0.0.1/reset#token=7", "01234567"].map((line) => `  ${line}`);
  assert.deepEqual(last, ["  to person-7@example.com, 2026-11-29T08:00:07.000Z", ...expected]);
});

test("a service without mails, one of another kind, and none at all are told apart", async (t) => {
  const PORT = await explorer(t, []);
  assert.match(assertDone(await make("mail", { PORT })).join(), /^No mail since `make dev` started/);
  const other = createServer((_, response) => response.writeHead(404).end("nothing here"));
  await new Promise((done) => other.listen(0, "127.0.0.1", done));
  const { port } = other.address();
  assert.match(assertGaveUp(await make("mail", { PORT: port })), /was not started by `make dev`/);
  await new Promise((done) => other.close(done));
  assert.match(assertGaveUp(await make("mail", { PORT: port })), /No service answers .* run `make dev` first/);
});

test("`make dev` adds settings of mail, unless the developer has some", async (t) => {
  const folder = stateFolder(t);
  for (const name of ["Cargo.toml", "Makefile", "src", "pages"]) {
    symlinkSync(join(ROOT, name), join(folder, name));
  }
  writeFileSync(join(folder, "show.mk"), "show:\n\t@echo $(MAIL_ARGS)\n");
  const added = async (secrets, args) => {
    writeFileSync(join(folder, ".dev.vars"), secrets);
    const show = ["-f", "Makefile", "-f", "show.mk", "show", "PORT=8001", `ARGS=${args}`];
    return assertDone(await run("make", show, { cwd: folder, env: environment(folder) })).join().trim();
  };
  const all = "--var MAIL:binding --var MAIL_FROM:edge-auth <login@example.com> --var PUBLIC_URL:http://localhost:8001";
  for (const [secrets, args] of [["# MAIL=none\nMAIL_PER_HOUR=1\n", ""], ["", "--var MAIL_PER_HOUR:1"]]) {
    assert.equal(await added(secrets, args), all);
  }
  for (const secrets of ["MAIL=none\n", "export BASE_PATH = '/api'\n"]) {
    assert.equal(await added(secrets, ""), "", secrets);
  }
  for (const args of ["--var JWT_ISSUER:x", "--env staging"]) {
    assert.equal(await added("", args), "", args);
  }
});
