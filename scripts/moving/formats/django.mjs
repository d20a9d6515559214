// Django: `manage.py dumpdata auth.user`, or of a user model of one's own that has the same fields.
//
// https://docs.djangoproject.com/en/stable/ref/django-admin/#dumpdata
import { fullName, hash, moment, text, truth } from "../values.mjs";

/** Objects of other models are not of this import: `undefined`. */
export function django({ pk, fields }) {
  if (typeof fields?.password !== "string") {
    return undefined;
  }
  // An unusable password begins with an exclamation mark.
  const isUsable = !fields.password.startsWith("!");
  return {
    external_id: text(pk),
    email: text(fields.email),
    full_name: fullName(fields.first_name, fields.last_name) ?? fullName(fields.name),
    password_hash: isUsable ? hash(fields.password) : undefined,
    created_at: moment(fields.date_joined),
    is_active: truth(fields.is_active, "is_active_invalid"),
  };
}
