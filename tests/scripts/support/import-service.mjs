// A stand-in for the service's import, which keeps its accounts in memory: it speaks the contract of
// `POST /admin/users/import`, and fails as a test tells it to.
import { createServer } from "node:http";

/** The address of a line that the database never takes. */
export const POISON = "poison@example.com";
const LINES_OF_BATCH = 50;
const CODES = { "refused@example.com": "hash_too_costly", "weak@example.com": "hash_too_fast" };

/**
 * Returns `{url, accounts, requests, keys}`. `fault(number, request)` decides about each request with lines: nothing, or
 * `{status, headers}` for a refusal, `{cut: n}` to break the connection behind n answers, `{unwritten: n}` to fail the last n
 * lines, `{held: promise}` to wait. Lines of `poison@example.com` make the batch of 50 that has them fail, and those behind it.
 */
export async function startImportService(t, { fault = () => undefined, acceptsKeys = true } = {}) {
  const service = { accounts: new Map(), requests: [], keys: new Set(), acceptsKeys };
  const server = createServer(async (request, response) => {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    const body = Buffer.concat(chunks);
    await answer(service, { request, response, body, fault });
  });
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return Object.assign(service, { url: `http://127.0.0.1:${server.address().port}`, port: server.address().port });
}

async function answer(service, { request, response, body, fault }) {
  const { pathname, searchParams } = new URL(request.url, "http://local");
  const key = request.headers.authorization?.replace("Bearer ", "");
  const refuse = (status, code, headers = {}) =>
    response.writeHead(status, { "Content-Type": "application/json", ...headers }).end(JSON.stringify({ error: { code }, request_id: "1" }));
  if (request.method !== "POST" || pathname !== "/admin/users/import") {
    return refuse(404, "NOT_FOUND");
  }
  if (!service.acceptsKeys || !/^ea_sk_\d+_[0-9a-f]{64}_[0-9a-f]{8}$/.test(key)) {
    return refuse(401, "AUTH_API_KEY_INVALID");
  }
  const lines = body.toString().split("\n").slice(0, -1);
  if (body.length > 1024 * 1024 || lines.length > 500) {
    return refuse(413, "PAYLOAD_TOO_LARGE");
  }
  service.keys.add(key);
  if (lines.every((line) => line === "")) {
    return response.writeHead(200, { "Content-Type": "application/x-ndjson" }).end();
  }
  const isDryRun = searchParams.get("dry_run") === "true";
  service.requests.push({ lines: lines.length, isDryRun, at: Date.now() });
  const { status, code = "UNAVAILABLE", headers, cut = Infinity, unwritten = 0, held } = fault(service.requests.length, lines) ?? {};
  await held;
  if (status) {
    return refuse(status, code, headers);
  }
  response.writeHead(200, { "Content-Type": "application/x-ndjson" });
  const poisoned = lines.findIndex((line) => line.includes(POISON));
  const written = poisoned < 0 ? lines.length - unwritten : poisoned - (poisoned % LINES_OF_BATCH);
  for (const [index, line] of lines.entries()) {
    if (index === cut) {
      // The lines before the break stay written.
      return setTimeout(() => response.destroy(), 20);
    }
    const outcome = index < written ? importLine(service.accounts, line, isDryRun) : { outcome: "failed", code: "unavailable" };
    response.write(`${JSON.stringify({ line: index + 1, ...outcome })}\n`);
  }
  response.end();
}

function importLine(accounts, text, isDryRun) {
  let line;
  try {
    line = JSON.parse(text);
  } catch {
    return { outcome: "refused", code: "not_json" };
  }
  const { external_id, email, password_hash: hash = "" } = line;
  if (CODES[email]) {
    return { external_id, outcome: "refused", code: CODES[email] };
  }
  const known = accounts.get(email);
  if (known) {
    const isRenamed = known.full_name !== line.full_name;
    known.full_name = line.full_name;
    return { external_id, outcome: isRenamed ? "updated" : "exists" };
  }
  if (!isDryRun) {
    accounts.set(email, line);
  }
  return { external_id, outcome: "created", ...(String(hash).startsWith("$2b$12$") ? { costlier: true } : {}) };
}
