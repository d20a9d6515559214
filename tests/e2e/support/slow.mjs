// Clients that do not finish their requests, on raw sockets: Node's own client would wait for its body.
import { connect } from "node:net";

/**
 * Sends a head and the beginning of a body, and leaves it at that, except for `trickle`: a text that is sent each second.
 * @returns {{ answered: Promise<{status: number, text: string, body: any, ms: number}>, hangUp: () => void }} the time until
 * the first byte of the answer in `ms`; `status` is undefined if the connection ends without one
 */
export function unfinished({ origin }, path, { method = "POST", headers = {}, begin = "", trickle } = {}) {
  const { hostname, port } = new URL(origin);
  const lines = Object.entries({ Host: "a", "Content-Type": "application/json", ...headers });
  const socket = connect({ host: hostname, port });
  const begun = Date.now();
  const answered = new Promise((resolve) => {
    let text = "";
    let ms;
    let timer;
    const end = () => {
      clearInterval(timer);
      socket.destroy();
      resolve({ status: Number(text.split(" ")[1]) || undefined, ms, ...parts(text) });
    };
    socket.on("connect", () => {
      socket.write(`${method} ${path} HTTP/1.1\r\n${lines.map((line) => line.join(": ")).join("\r\n")}\r\n\r\n${begin}`);
      timer = trickle && setInterval(() => socket.write(trickle), 1000);
    });
    socket.on("data", (chunk) => {
      ms ??= Date.now() - begun;
      text += chunk.toString("latin1");
      if (isComplete(text)) {
        end();
      }
    });
    // A reset is how some servers end a connection with an unread body.
    socket.on("error", end);
    socket.on("close", end);
  });
  return { answered, hangUp: () => socket.destroy() };
}

/** The head of a chunked body that never ends. */
export const CHUNKED = { "Transfer-Encoding": "chunked" };

function isComplete(text) {
  const [head, rest] = text.split("\r\n\r\n");
  const length = /^content-length: (\d+)/im.exec(head)?.[1];
  return rest !== undefined && (length === undefined ? rest.endsWith("0\r\n\r\n") : rest.length >= Number(length));
}

function parts(text) {
  const json = /\{.*\}/s.exec(text)?.[0];
  return { text, body: json === undefined ? undefined : JSON.parse(json) };
}
