// The parts of the console that the roles of a person open. The service decides on every request; this file only keeps
// forms off the page that would be refused.

/** Each role gives those before it: within a department, in a university, on the platform. */
const GIVEN_BY = {
  DEPARTMENT_ADMIN: ["STUDENT", "TA", "INSTRUCTOR"],
  UNIVERSITY_ADMIN: ["STUDENT", "TA", "INSTRUCTOR", "DEPARTMENT_ADMIN", "UNIVERSITY_ADMIN"],
  PLATFORM_ADMIN: ["STUDENT", "TA", "INSTRUCTOR", "DEPARTMENT_ADMIN", "UNIVERSITY_ADMIN", "PLATFORM_ADMIN"],
};

const has = (roles, role, university) =>
  roles.some((grant) => grant.role === role && (university === undefined || grant.university_id === university));

/** The rights on the whole console: `{platform, universities}`. */
export function rightsOf({ roles }) {
  const platform = has(roles, "PLATFORM_ADMIN");
  const universities = platform || has(roles, "UNIVERSITY_ADMIN") || has(roles, "DEPARTMENT_ADMIN");
  return { platform, universities };
}

/**
 * The rights in a university: `{manages, gives, departments}`. `departments` are the ids to which a role must be narrowed,
 * or null if the person may give roles of the whole university.
 */
export function rightsIn({ roles }, university) {
  const platform = has(roles, "PLATFORM_ADMIN");
  const manages = platform || has(roles, "UNIVERSITY_ADMIN", university);
  const own = roles.filter(({ role, university_id: id }) => role === "DEPARTMENT_ADMIN" && id === university);
  const highest = platform ? "PLATFORM_ADMIN" : manages ? "UNIVERSITY_ADMIN" : own.length > 0 && "DEPARTMENT_ADMIN";
  const departments = manages ? null : own.map(({ department_id: id }) => id);
  return { manages, gives: GIVEN_BY[highest] ?? [], departments };
}

/** How a role goes with a department: "needed", "allowed" or "none". */
export function departmentOf(role) {
  if (role === "DEPARTMENT_ADMIN") {
    return "needed";
  }
  return ["UNIVERSITY_ADMIN", "PLATFORM_ADMIN"].includes(role) ? "none" : "allowed";
}
