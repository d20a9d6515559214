// Supabase (GoTrue): the table `auth.users`, as CSV or NDJSON.
//
// https://supabase.com/docs/guides/auth/managing-user-data
// The columns: https://github.com/supabase/auth/tree/master/migrations
import { Refusal } from "../failure.mjs";
import { fullName, hash, moment, nested, text, truth } from "../values.mjs";

export function supabase(entry) {
  const isTrue = (value) => truth(value, "email_invalid") === true;
  if (moment(entry.deleted_at) !== undefined) {
    throw new Refusal("deleted");
  }
  if (isTrue(entry.is_anonymous)) {
    throw new Refusal("anonymous");
  }
  // Users of single sign-on may have the address of another user, and have no password.
  if (isTrue(entry.is_sso_user)) {
    throw new Refusal("sso_user");
  }
  const metadata = nested(entry.raw_user_meta_data);
  return {
    external_id: text(entry.id),
    email: text(entry.email),
    email_verified: moment(entry.email_confirmed_at ?? entry.confirmed_at) !== undefined,
    full_name: fullName(metadata?.full_name ?? metadata?.name),
    password_hash: hash(entry.encrypted_password),
    created_at: moment(entry.created_at),
    is_active: isBanned(entry.banned_until) ? false : undefined,
  };
}

function isBanned(until) {
  return until === "infinity" || Date.parse(moment(until)) > Date.now();
}
