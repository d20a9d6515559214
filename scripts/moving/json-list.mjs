// Reads the elements of one list in a JSON document: a list at the top, or one that is a member of the object at the top. It
// never holds more than one element, so a document of any length can be read.
import { decoded, Entry, pieces } from "./bytes.mjs";
import { ImportFailure } from "./failure.mjs";

const MAX_DEPTH = 1000;
const [QUOTE, BACKSLASH, COMMA, COLON] = [...'"\\,:'].map((letter) => letter.charCodeAt(0));
const [OPEN_LIST, CLOSE_LIST, OPEN_OBJECT, CLOSE_OBJECT] = [..."[]{}"].map((letter) => letter.charCodeAt(0));
const SPACES = new Set([9, 10, 13, 32]);

/**
 * Yields `{line, text}` for each element, or `{line, code}`. `line` is the number of the element.
 * @param {string} path
 * @param {string[]} names of the member that has the list, if the document is an object
 */
export async function* elements(path, names, seen) {
  const scanner = new Scanner(names);
  for await (const piece of pieces(path, seen)) {
    for (const byte of piece) {
      if (scanner.take(byte)) {
        yield scanner.element();
      }
    }
  }
  scanner.end();
}

class Scanner {
  #names;
  /** The brackets that are open, by the byte that closes them. */
  #open = [];
  #isText = false;
  #isEscaped = false;
  #isOver = false;
  /** The member of the object at the top: its name, as far as it was read. */
  #name = new Entry();
  #isName = false;
  /** The depth of the list within its brackets; 0 outside. */
  #depth = 0;
  #hasFound = false;
  #entry = new Entry();
  #line = 0;

  constructor(names) {
    this.#names = names;
  }

  /** Takes a byte. True if an element ended with it. */
  take(byte) {
    if (this.#isText) {
      this.#takeText(byte);
      return false;
    }
    if (SPACES.has(byte)) {
      this.#keep(byte);
      return false;
    }
    if (this.#isOver) {
      throw new ImportFailure("The JSON document ends before the file does: it has a second one, or other text, behind it.");
    }
    const isAtList = this.#depth > 0 && this.#open.length === this.#depth;
    if (isAtList && (byte === COMMA || byte === CLOSE_LIST)) {
      const hasElement = decoded(this.#entry.view())?.trim() !== "" || this.#entry.isTooLong;
      if (byte === CLOSE_LIST) {
        this.#close(byte);
        this.#depth = 0;
      }
      return hasElement;
    }
    this.#keep(byte);
    this.#takeStructure(byte);
    return false;
  }

  #takeText(byte) {
    this.#keep(byte);
    if (this.#isEscaped) {
      this.#isEscaped = false;
    } else if (byte === BACKSLASH) {
      this.#isEscaped = true;
    } else if (byte === QUOTE) {
      this.#isText = false;
    } else if (this.#isName) {
      this.#name.push(byte);
    }
  }

  #takeStructure(byte) {
    if (byte === QUOTE) {
      this.#isText = true;
      if (this.#isName) {
        this.#name.clear();
      }
    } else if (byte === OPEN_LIST || byte === OPEN_OBJECT) {
      this.#openBracket(byte);
    } else if (byte === CLOSE_LIST || byte === CLOSE_OBJECT) {
      this.#close(byte);
    } else if (this.#open.length === 0) {
      throw new ImportFailure("The file is no JSON document with a list.");
    } else if (this.#open.length === 1 && this.#open[0] === CLOSE_OBJECT) {
      this.#isName = byte === COMMA || (byte !== COLON && this.#isName);
    }
  }

  #openBracket(byte) {
    const isTop = this.#open.length === 0;
    const isMember = this.#open.length === 1 && this.#open[0] === CLOSE_OBJECT;
    this.#open.push(byte === OPEN_LIST ? CLOSE_LIST : CLOSE_OBJECT);
    if (this.#open.length > MAX_DEPTH) {
      throw new ImportFailure(`The JSON document has more than ${MAX_DEPTH} brackets within each other.`);
    }
    this.#isName = isTop && byte === OPEN_OBJECT;
    const isWanted = isTop || (isMember && this.#names.includes(decoded(this.#name.view())));
    if (byte === OPEN_LIST && isWanted && this.#depth === 0) {
      this.#depth = this.#open.length;
      this.#hasFound = true;
      this.#entry.clear();
    }
  }

  #close(byte) {
    if (this.#open.pop() !== byte) {
      throw new ImportFailure("The brackets of the JSON document do not match: it is damaged.");
    }
    this.#isOver = this.#open.length === 0;
  }

  /** Bytes of the list belong to an element; others are not kept. */
  #keep(byte) {
    if (this.#depth > 0) {
      this.#entry.push(byte);
    }
  }

  element() {
    this.#line += 1;
    const { isTooLong } = this.#entry;
    const text = isTooLong ? "" : decoded(this.#entry.view());
    this.#entry.clear();
    if (isTooLong) {
      return { line: this.#line, code: "line_too_long" };
    }
    return text === undefined ? { line: this.#line, code: "not_utf8" } : { line: this.#line, text };
  }

  end() {
    if (this.#open.length > 0) {
      throw new ImportFailure("The JSON document is cut off: it ends within a list or an object. Export it again.");
    }
    if (!this.#hasFound) {
      const wanted = this.#names.length > 0 ? `, or none named ${this.#names.join(" or ")}` : "";
      throw new ImportFailure(`The JSON document has no list of users${wanted}.`);
    }
  }
}
