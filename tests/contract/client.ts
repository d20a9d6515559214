// A whole round with the TypeScript client generated from the description, which types every path, body and
// answer below. `node client.ts <origin>`; exits with 0 if all went as described.
import assert from "node:assert/strict";

import createClient from "openapi-fetch";

import type { paths } from "./generated/description.ts";

const api = createClient<paths>({ baseUrl: process.argv[2] });
const bearer = (token: string) => ({ headers: { Authorization: `Bearer ${token}` } });
const user = { email: "typescript@example.com", password: "correct horse battery staple", full_name: "Ada Lovelace" };

const registered = await api.POST("/auth/register", { body: user });
assert(registered.data, JSON.stringify(registered.error));
// Not the 202 of a deployment that wants a proof of the address first.
assert("email" in registered.data);
assert.equal(registered.data.email, user.email);

const me = await api.GET("/users/me", bearer(registered.data.access_token));
assert(me.data, JSON.stringify(me.error));
assert.equal(me.data.id, registered.data.id);
assert.equal(me.data.full_name, user.full_name);

const pair = await api.POST("/auth/refresh", { body: { refresh_token: registered.data.refresh_token } });
assert(pair.data, JSON.stringify(pair.error));
assert.notEqual(pair.data.refresh_token, registered.data.refresh_token);

const over = await api.POST("/auth/logout", { body: { refresh_token: pair.data.refresh_token } });
assert(over.data, JSON.stringify(over.error));

const refused = await api.GET("/users/me", bearer(pair.data.access_token));
assert(refused.error);
assert.equal(refused.response.status, 401);
assert.equal(refused.error.error.code, "AUTH_TOKEN_REVOKED");
