// An event as a line of the export: the members of the list for administrators (openapi.yaml, AdminEvent), and the object that has it.

const time = (milliseconds) => new Date(milliseconds).toISOString();

/** The line, with its end. */
export function lineOf(event) {
  const { id, created_at, type, reason, count, last_at, user_id, session_id, actor_id, university_id, object_id, ...others } = event;
  const { ip, user_agent, request_id, ray, object } = others;
  const [first, last] = [time(created_at), time(last_at)];
  return `${JSON.stringify({
    id, created_at: first, type, reason, count, first_at: first, last_at: last, user_id, session_id, actor_id, university_id, object_id,
    ip, user_agent, request_id, ray, object,
  })}\n`;
}
