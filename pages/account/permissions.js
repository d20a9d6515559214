// The permissions to which an API key can be narrowed: the enumeration `Permission` of openapi.yaml, in groups for people. A test
// compares the two.

const ROLES = ["STUDENT", "TA", "INSTRUCTOR", "DEPARTMENT_ADMIN", "UNIVERSITY_ADMIN", "PLATFORM_ADMIN"];

export const PERMISSIONS = {
  universities: ["universities:view", "universities:manage", "departments:manage", "platform:administer"],
  roles: ["roles:view", ...ROLES.map((role) => `roles:grant:${role}`), ...ROLES.map((role) => `roles:remove:${role}`)],
  courses: ["courses:view", "courses:manage", "enrollments:create", "enrollments:list", "enrollments:view", "enrollments:end"],
};
