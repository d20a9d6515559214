// The archive without its database: downloaded objects, and a head from the log that says which key signs.
import { ofObject } from "./chain.mjs";
import { AuditFailure } from "./fault.mjs";
import { HEADER, parse, split } from "./lines.mjs";

export class WithoutRegister {
  name = "the folder";
  #end;

  /** Looks for the end among the objects. Its header says where the archive begins. */
  static async of(source, proof) {
    if (proof === undefined) {
      throw new AuditFailure("FROM= alone needs HEAD= from the log of the service. Or name a database: STATE= or REMOTE=.");
    }
    const register = new WithoutRegister();
    const object = (await source.numbers()).at(-1);
    if (object !== undefined) {
      const bytes = await source.get(object);
      const { first } = ofObject(object, () => parse(split(bytes)[0], 1, HEADER));
      register.#end = { object, first };
    }
    return register;
  }

  end() {
    return this.#end;
  }

  kid({ kid }) {
    return kid;
  }

  rowOf() {
    return undefined;
  }
}
