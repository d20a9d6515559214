// Names of universities and departments, which other lists have as ids. Each is asked for once, and its id stands for it until
// then or if the service does not tell it.
import { request } from "../kit/api.js";
import { consoleTexts } from "../texts.js";
import { allOf } from "./paged.js";

const texts = consoleTexts.places;
/** A user has up to 200 roles. Beyond these places the ids must do. */
const MOST = 20;

export function createPlaces(redraw) {
  const universities = new Map();
  let departments = new Map();

  /** Looks up the places of roles, or of other rows with these ids. */
  async function load(rows) {
    const ids = new Set(rows.map(({ university_id: id }) => id).filter((id) => id !== null && !universities.has(id)));
    await Promise.all([...ids].slice(0, MOST).map(lookUp));
    redraw();
  }

  async function lookUp(id) {
    universities.set(id, undefined);
    const [answer, items] = await Promise.all([request("GET", `universities/${id}`, { quiet: true }), departmentsOf(id)]);
    universities.set(id, answer.body.name);
    items.forEach((department) => departments.set(department.id, department.name));
  }

  /** Reads the departments of one university anew. */
  async function reload(id) {
    departments = new Map((await departmentsOf(id)).map((department) => [department.id, department.name]));
    redraw();
  }

  return {
    load,
    reload,
    university: (id) => universities.get(id) ?? texts.university(id),
    department: (id) => departments.get(id) ?? texts.department(id),
    departments: () => [...departments].map(([id, name]) => ({ id, name })),
  };
}

const departmentsOf = (id) => allOf(`universities/${id}/departments`);
