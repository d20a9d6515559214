// The measured operations: the requests of each connection, and the expected responses. Both targets receive the same
// requests, except for the format of their tokens. No account is used twice where the second use would differ.
import { emailOf, PASSWORD, USERS } from "./people.mjs";

const JSON_BODY = { "Content-Type": "application/json" };
/** The headers of a browser, and the address that the edge adds. */
const CLIENT = {
  "CF-Connecting-IP": "192.0.2.7",
  "User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
};
const WRONG_PASSWORD = "correct horse of ten thousand";

export const get = (path, headers = {}) => ({ method: "GET", path, headers: { ...CLIENT, ...headers } });
export const post = (path, value) => {
  return { method: "POST", path, headers: { ...CLIENT, ...JSON_BODY }, body: JSON.stringify(value) };
};

/** Each operation has its own users: `count` of them, starting at `first`. */
const RANGES = {
  refresh: { first: 1, count: 100 },
  me: { first: 101, count: 100 },
  login: { first: 201, count: 1800 },
  wrongLogin: { first: 2001, count: 1000 },
  logout: { first: 3001, count: USERS - 3000 },
};

/**
 * The state of the load on one target: the next user of each operation, and the newest token of each connection.
 * @param {{access: (user: number) => string, refresh: (user: number) => string}} tokens
 */
export function newWorld(tokens) {
  const used = {};
  const next = (name) => {
    used[name] = (used[name] ?? 0) + 1;
    return used[name];
  };
  return {
    tokens,
    newest: new Map(),
    next,
    /** The next user of an operation; with `isOnce`, it throws if all users have been used. */
    user(name, isOnce = false) {
      const { first, count } = RANGES[name];
      const index = next(name) - 1;
      if (isOnce && index >= count) {
        throw new Error(`${name}: all ${count} users have been used`);
      }
      return first + (index % count);
    },
  };
}

/**
 * `request(world, connection)` builds the next request of a connection; `answered` processes the response. `hashes`
 * means that a password is hashed, so one request costs as much as hundreds of the others.
 */
export const OPERATIONS = [
  { id: "health", title: "health", status: 200, request: () => get("/health") },
  {
    id: "register",
    title: "register",
    status: 201,
    hashes: true,
    request: (world) => {
      const number = world.next("register");
      return post("/auth/register", {
        email: `new-${number}@mail.example`,
        password: PASSWORD,
        full_name: `New Person ${number}`,
      });
    },
  },
  {
    id: "login",
    title: "login",
    status: 200,
    hashes: true,
    request: (world) => post("/auth/login", { email: emailOf(world.user("login")), password: PASSWORD }),
  },
  {
    id: "wrongLogin",
    title: "wrong login",
    status: 401,
    hashes: true,
    request: (world) => {
      // After five failures the throttle would block an account, so no account fails that often.
      const email = emailOf(world.user("wrongLogin", true));
      const { headers, ...request } = post("/auth/login", { email, password: WRONG_PASSWORD });
      // By this the floor, which checks no password, knows the case.
      return { ...request, headers: { ...headers, "X-Case": "wrong" } };
    },
  },
  {
    id: "refresh",
    title: "refresh",
    status: 200,
    request: (world, connection) => {
      const newest = world.newest.get(connection) ?? world.tokens.refresh(RANGES.refresh.first + connection);
      return post("/auth/refresh", { refresh_token: newest });
    },
    answered: (world, connection, body) => world.newest.set(connection, JSON.parse(body).refresh_token),
  },
  {
    id: "me",
    title: "me",
    status: 200,
    request: (world, connection) => {
      return get("/users/me", { Authorization: `Bearer ${world.tokens.access(RANGES.me.first + connection)}` });
    },
  },
  {
    id: "logout",
    title: "logout",
    status: 200,
    request: (world) => post("/auth/logout", { refresh_token: world.tokens.refresh(world.user("logout", true)) }),
  },
];
