// The statements of an export: users by id, with their old ids and roles.
import { quoted } from "../database.mjs";

/** Users of a page. wrangler takes a second for each. */
const PAGE = 5000;

/** Old ids are unique for each importer only. The one that imported most users keeps its own. */
export const SELECT_IMPORTER = `
  SELECT imported_by AS importer FROM users WHERE external_id IS NOT NULL
  GROUP BY imported_by ORDER BY count(*) DESC, imported_by LIMIT 1`;

/** The users behind an id, and their roles. Erased users are left out, and PLATFORM_ADMIN, which no import gives. */
export function pageAfter(after, importer) {
  const page = `FROM users AS u WHERE u.id > ${after} AND u.erasure_cursor IS NULL ORDER BY u.id LIMIT ${PAGE}`;
  const oldId = importer === undefined ? "NULL" : `iif(u.imported_by = ${quoted(importer)}, u.external_id, NULL)`;
  return `
    SELECT u.id, u.email, u.email_verified_at, u.full_name, u.is_active, u.created_at, ${oldId} AS external_id,
           iif(u.has_password = 1, u.password_hash, NULL) AS password_hash ${page};
    SELECT r.user_id, r.role, r.university_id, r.department_id FROM user_university_roles AS r
      WHERE r.user_id > ${after} AND r.user_id <= (SELECT max(id) FROM (SELECT u.id ${page})) AND r.role <> 'PLATFORM_ADMIN'
      ORDER BY r.user_id, r.id;`;
}
