// Smoke test of a deployed service: liveness, access to the database, and refusals. It creates no accounts or sessions,
// so it can run against production at any time. Usage: node scripts/smoke.mjs https://auth.example.com
const base = process.argv[2]?.replace(/\/+$/, "");
if (!base) {
  console.error("usage: node scripts/smoke.mjs URL");
  process.exit(2);
}

const login = {
  method: "POST",
  headers: { "Content-Type": "application/json" },
  body: JSON.stringify({ email: "smoke-test@invalid.example", password: "not a password of any account" }),
};
const refusal = (status, code) => ({ status, expect: ({ error }) => error.code === code });

const CHECKS = [
  { path: "/health", status: 200, expect: ({ status }) => status === "ok" },
  { path: "/health/ready", status: 200, expect: ({ status }) => status === "ready" },
  // A deployment may have no API pages.
  {
    path: "/openapi.json",
    status: 200,
    expect: ({ openapi }) => openapi.startsWith("3.1"),
    other: { ...refusal(404, "NOT_FOUND"), verdict: "ok (API_PAGES is off)" },
  },
  { path: "/users/me", ...refusal(401, "AUTH_TOKEN_INVALID") },
  // Exercises the database and the password hash at its real cost.
  { path: "/auth/login", init: login, ...refusal(401, "AUTH_INVALID_CREDENTIALS") },
  { path: "/nowhere", ...refusal(404, "NOT_FOUND") },
];

let failures = 0;
for (const { path, init, other, ...usual } of CHECKS) {
  const started = performance.now();
  let verdict;
  try {
    const response = await fetch(base + path, { ...init, signal: AbortSignal.timeout(15_000) });
    const body = await response.json();
    const right = [{ ...usual, verdict: "ok" }, other].find((answer) => answer?.status === response.status);
    const isGood = right?.expect(body) && response.headers.has("X-Request-ID");
    failures += isGood ? 0 : 1;
    verdict = isGood ? right.verdict : `FAILED: ${response.status} ${JSON.stringify(body)}`;
  } catch (error) {
    failures += 1;
    verdict = `FAILED: ${error.cause ?? error}`;
  }
  console.log(`${path.padEnd(16)} ${Math.round(performance.now() - started)} ms  ${verdict}`);
}
process.exit(failures === 0 ? 0 : 1);
