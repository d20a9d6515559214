// A client of a service that keeps failing: it carries on, retries requests without an answer, and fails at once on an
// answer that it cannot explain.
import assert from "node:assert/strict";

import { login, logout, me, newUser, refresh, register } from "./client.mjs";
import { assertEnvelope, assertSuccess } from "./envelope.mjs";
import { assertUnavailable } from "./faults.mjs";

/** The pause between two attempts: the load on the service, without effect on its answers. */
const PAUSE_MS = 40;
const pause = () => new Promise((resolve) => setTimeout(resolve, PAUSE_MS));

export class Client {
  /** The answer to each attempt: `{id, kind, status}`. */
  tries = [];
  /** Refusals that only a lost answer explains: `{kind, lost}`, with the ids of the unanswered attempts. */
  explained = [];
  /** The registered users, with the numbers of attempted and successful sign-ins. */
  people = [];
  /** Sessions as this client knows them: `{access, refresh, isOver}`. */
  sessions = [];

  /** @param {() => number} random numbers in [0, 1) */
  constructor(service, name, random) {
    Object.assign(this, { service, name, random });
  }

  /** One request. Its answer, or `undefined` for a 503. */
  async attempt(kind, request) {
    const id = `${this.name}-${this.tries.length}`;
    const response = await request({ "X-Request-ID": id });
    assert.equal(response.headers["x-request-id"], id);
    this.tries.push({ id, kind, status: response.status });
    if (response.status !== 503) {
      return response;
    }
    assertUnavailable(response);
    await pause();
    return undefined;
  }

  /** The same request until it is answered. The answer, and the ids of the earlier attempts. */
  async insist(kind, request) {
    const from = this.tries.length;
    for (;;) {
      const response = await this.attempt(kind, request);
      if (response) {
        return { response, lost: this.tries.slice(from, -1).map(({ id }) => id) };
      }
    }
  }

  /** The same request until it succeeds, which it must as soon as it is answered. */
  async succeed(kind, request) {
    const { response } = await this.insist(kind, request);
    assertSuccess(response, 200);
    return response.body;
  }

  async register() {
    const user = newUser();
    const person = { user, signIns: 0, signInTries: 0 };
    const { response, lost } = await this.insist("register", (headers) => register(this.service, user, headers));
    this.people.push(person);
    if (response.status === 409) {
      assertEnvelope(response, 409, "CONFLICT");
      this.explained.push({ kind: "register", lost });
    } else {
      assertSuccess(response, 201);
      assert.equal(response.body.email, user.email);
      this.begin(response.body);
    }
    return person;
  }

  async signIn(person) {
    const from = this.tries.length;
    this.begin(await this.succeed("login", (headers) => login(this.service, person.user, headers)));
    person.signIns += 1;
    person.signInTries += this.tries.length - from;
  }

  begin({ access_token: access, refresh_token: token }) {
    this.sessions.push({ access, refresh: token, isOver: false });
  }

  async look(session, { user }) {
    const body = await this.succeed("me", (headers) => me(this.service, session.access, headers));
    assert.equal(body.email, user.email);
  }

  /** Exchanges the token, and then once more, as a second tab would: there is only one successor. */
  async refresh(session, isRepeated) {
    const exchange = () => this.succeed("refresh", (headers) => refresh(this.service, session.refresh, headers));
    const next = await exchange();
    assert.notEqual(next.refresh_token, session.refresh);
    if (isRepeated) {
      assert.equal((await exchange()).refresh_token, next.refresh_token, "a second branch");
    }
    Object.assign(session, { access: next.access_token, refresh: next.refresh_token });
  }

  async signOut(session) {
    const lost = [];
    while (!(await this.attempt("logout", (headers) => logout(this.service, session.refresh, headers)))) {
      lost.push(this.tries.at(-1).id);
      const look = await this.attempt("me", (headers) => me(this.service, session.access, headers));
      if (look?.status === 401) {
        assertEnvelope(look, 401, "AUTH_TOKEN_REVOKED");
        this.explained.push({ kind: "logout", lost: [...lost] });
      } else if (look) {
        assertSuccess(look, 200);
      }
    }
    assert.equal(this.tries.at(-1).status, 200);
    session.isOver = true;
    for (const request of [
      (headers) => me(this.service, session.access, headers),
      (headers) => refresh(this.service, session.refresh, headers),
    ]) {
      assertEnvelope((await this.insist("afterwards", request)).response, 401, "AUTH_TOKEN_REVOKED");
    }
  }

  /** A user registers, signs in, stays for a while, and perhaps signs out. */
  async live() {
    const person = await this.register();
    await this.signIn(person);
    const session = this.sessions.at(-1);
    for (let left = 1 + Math.floor(this.random() * 4); left > 0; left -= 1) {
      await this.look(session, person);
      await this.refresh(session, this.random() < 0.5);
    }
    await this.look(session, person);
    if (this.random() < 0.6) {
      await this.signOut(session);
    }
  }

  /** All sessions that were not signed out are alive. */
  async goOn() {
    for (const session of this.sessions.filter(({ isOver }) => !isOver)) {
      assertSuccess(await me(this.service, session.access), 200);
      await this.refresh(session, true);
      assertSuccess(await me(this.service, session.access), 200);
    }
  }
}
