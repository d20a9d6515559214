// The API description of a build without the cargo feature `campus`: no courses, no enrolments, and nothing that refers
// to them.

/** Every `$ref` in a part of the description. */
function references(part, found = new Set()) {
  for (const [key, value] of Object.entries(part ?? {})) {
    if (key === "$ref") {
      found.add(value);
    } else if (typeof value === "object") {
      references(value, found);
    }
  }
  return found;
}

/** Deletes the entries for which the predicate holds. */
function deleteWhere(entries, predicate) {
  for (const [key, value] of Object.entries(entries ?? {})) {
    if (predicate(value, key)) {
      delete entries[key];
    }
  }
}

/** Removes campus from a parsed description, in place. */
export function withoutCampus(description) {
  const { paths, components } = description;
  description.tags = description.tags.filter(({ name }) => name !== "courses");
  deleteWhere(paths, (item) => Object.values(item).some(({ tags }) => tags.includes("courses")));
  const operations = Object.values(paths).flatMap((item) => Object.values(item));
  const ids = new Set(operations.map(({ operationId }) => operationId));
  deleteWhere(components.links, ({ operationId }) => !ids.has(operationId));
  for (const response of operations.flatMap(({ responses }) => Object.values(responses))) {
    deleteWhere(response.links, ({ $ref }) => !($ref.split("/").at(-1) in components.links));
  }
  const { properties } = components.schemas.PermissionCheck;
  const { Permission } = components.schemas;
  Permission.enum = Permission.enum.filter((name) => !/^(courses|enrollments):/.test(name));
  deleteWhere(properties, (_, name) => ["course_id", "enrollment_id"].includes(name));
  const { Export } = components.schemas;
  Export.required = Export.required.filter((name) => name !== "enrollments");
  delete Export.properties.enrollments;
  delete components.examples.Export.value.enrollments;
  components.examples.PermissionCheck.value = { permission: "roles:view", university_id: 3 };
  // Components that only the deleted parts referred to; deleting it may leave more of the kind.
  const { securitySchemes: _, ...shared } = components;
  let isDone = false;
  while (!isDone) {
    isDone = true;
    const used = references(description);
    for (const [kind, entries] of Object.entries(shared)) {
      deleteWhere(entries, (_, name) => {
        const isUsed = used.has(`#/components/${kind}/${name}`);
        isDone &&= isUsed;
        return !isUsed;
      });
    }
  }
  return description;
}
